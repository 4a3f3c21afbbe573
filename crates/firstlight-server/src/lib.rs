//! The HTTP face of the engine: Kubernetes' API over the store, by one path grammar and one handler set.
//!
//! It reaches a container only through [`console::Console`]. Every request needs a client certificate (or comes
//! from inside the process); Host and Origin are checked.
#![forbid(unsafe_code)]

pub mod console;
