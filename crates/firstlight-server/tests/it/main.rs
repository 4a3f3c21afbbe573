//! The server as its clients meet it.

mod client;
mod identity;
mod listener;
