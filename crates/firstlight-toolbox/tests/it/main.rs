//! The `fl` binary from outside: real servers, real files, real processes, real kills.

mod genesis;

/// The binary under test.
const FL: &str = env!("CARGO_BIN_EXE_fl");
