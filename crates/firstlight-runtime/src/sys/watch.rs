//! Descriptors watched by the async runtime.

use rustix::fd::OwnedFd;
use std::io;
use tokio::io::unix::AsyncFd;

/// Watches a non-blocking descriptor.
///
/// # Errors
/// If the kernel cannot watch it.
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor stays open and the same for as long as it is registered: it is owned by the result,
    // which only ever lends it out, and an `OwnedFd` always answers with the one descriptor it owns.
    let watched = unsafe { AsyncFd::register(fd) };
    Ok(watched?)
}
