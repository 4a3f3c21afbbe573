//! The door to the kernel: the few calls that no safe library offers, each behind a safe signature.
//!
//! Everything else goes through `rustix`, which is safe. One file per kernel subject; the only `unsafe` of the
//! project is here, each block with the reason why it holds.
#![expect(unsafe_code, reason = "the only module of the project that may talk to the kernel unsafely")]

pub(crate) mod exec;
pub(crate) mod fds;
pub(crate) mod fork;
pub(crate) mod namespace;
pub(crate) mod seccomp;
pub(crate) mod signal;
pub(crate) mod watch;
