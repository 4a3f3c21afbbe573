//! The server as its clients meet it.

mod client;
mod fake;
mod identity;
mod listener;
mod streams;
