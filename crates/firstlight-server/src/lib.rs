//! The HTTP face of the engine: Kubernetes' API over the store, by one path grammar and one handler set.
//!
//! It reaches a container only through [`console::Console`]. Every request needs a client certificate (or comes
//! from inside the process); Host and Origin are checked.
//!
//! | module | question it answers |
//! | --- | --- |
//! | [`identity`] | who may be trusted: the data directory's certificate authority, and what it signs |
//! | [`caller`] | who is asking |
//! | [`listener`] | how requests come in: TLS, HTTP/1.1 and HTTP/2, limits, Host and Origin |
//! | [`streams`] | logs, exec, attach and port-forward |
//! | [`console`] | the port behind which containers are |
//! | [`body`] | what every answer's body is |
#![forbid(unsafe_code)]

pub mod body;
pub mod caller;
pub mod console;
pub mod identity;
pub mod listener;
mod private_file;
mod refusal;
pub mod streams;
