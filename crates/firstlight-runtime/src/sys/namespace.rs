//! Leaving namespaces behind.

use rustix::io;
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Gives the calling process namespaces of its own.
///
/// # Errors
/// What `unshare(2)` answers; `INVAL` if `flags` asks for a private descriptor table, which this wrapper does not
/// offer.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    if flags.contains(UnshareFlags::FILES) {
        return Err(io::Errno::INVAL);
    }
    // SAFETY: the only unsafe flag is FILES (a thread could use descriptors of another's table): refused above.
    unsafe { unshare_unsafe(flags) }
}
