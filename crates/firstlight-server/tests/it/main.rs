//! The server as its clients meet it.

mod api;
mod client;
mod fake;
mod identity;
mod listener;
mod streams;
