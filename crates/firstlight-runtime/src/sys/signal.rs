//! Signals by number, real-time ones included: images name them in STOPSIGNAL.

use rustix::fd::{AsRawFd, BorrowedFd};
use std::io;

/// Sends signal `number` to the process behind `pidfd`.
///
/// # Errors
/// What `pidfd_send_signal(2)` answers.
pub(crate) fn send(pidfd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed for the call; a null siginfo asks for the same as kill(2).
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), number, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the calling process ignore signal `number` from now on; of SIGCHLD, the kernel then waits for its children.
///
/// # Errors
/// What `signal(2)` answers.
pub(crate) fn ignore(number: i32) -> io::Result<()> {
    // SAFETY: no handler is installed: SIG_IGN is a disposition, not code.
    match unsafe { libc::signal(number, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
