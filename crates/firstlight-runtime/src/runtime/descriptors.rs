//! How many descriptors the engine may have open, and how many its pods may.
//!
//! The engine takes all that the system grants it: a pod costs it a few, a session some more, and the 1024 that a
//! login usually gets are soon gone. Pods start from what the engine was given itself, as if no engine were between:
//! a program that uses `select`, or closes every descriptor it could have, must not meet a larger number.

use rustix::io;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use std::sync::OnceLock;

/// What this process was given by whoever started it. One for the process, as the limit is: an engine that is not
/// the first in it must not take what the first one raised for what was given.
static GIVEN: OnceLock<Rlimit> = OnceLock::new();

/// Takes all descriptors the system grants this process.
pub(super) fn take_all() {
    let given = GIVEN.get_or_init(|| getrlimit(Resource::Nofile));
    let Rlimit { current: _, maximum } = *given;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "cannot take more descriptors; many pods or sessions may run out of them");
    }
}

/// Gives a process that this one has just spawned what this one was given.
///
/// # Errors
/// If it is gone.
pub(super) fn give(child: Pid) -> io::Result<()> {
    GIVEN.get().map_or(Ok(()), |given| prlimit(Some(child), Resource::Nofile, *given).map(drop))
}
