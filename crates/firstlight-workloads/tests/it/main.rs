//! The integration tests of this crate, one binary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is its failure")]

mod api;
mod cluster;
mod pods;
mod shell;
mod stories;
