//! File descriptors of a forked child. Asked right after a fork: what the child does not need it must not hold.

use rustix::fd::{AsRawFd, BorrowedFd};
use std::io;

/// Closes every descriptor above stderr but those in `keep`.
///
/// For forked children only: the objects that owned the others must neither be used nor dropped afterwards, which
/// holds because a child leaves by `_exit` or exec.
///
/// # Errors
/// If the kernel has no `close_range` (before 5.9).
pub(crate) fn close_all_but(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut kept: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok()).collect();
    kept.sort_unstable();
    let mut from = 3;
    for fd in kept {
        if fd > from {
            close_range(from, fd - 1)?;
        }
        from = from.max(fd + 1);
    }
    close_range(from, u32::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: takes no pointers. Closing descriptors owned elsewhere in this copy of the process is what the
    // caller asked for; see above for why no owner uses them again.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
