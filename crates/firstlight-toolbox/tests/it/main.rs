//! The `fl` binary from outside: real servers, real files, real processes, real kills.

mod contract;
mod expose;
mod fetch;
mod genesis;
mod kill;
mod names;
mod program;
mod render;
mod run_once;
mod server;
mod wait;

/// The binary under test.
const FL: &str = env!("CARGO_BIN_EXE_fl");
