//! Making processes by fork. Asked by the shim alone, which has one thread.

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Exit code of a child whose closure panicked, so that it is not mistaken for one of its own.
const PANICKED: i32 = 101;

/// A child of this process: its pid cannot be reused before it is waited for.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its process id.
    pub(crate) pid: Pid,
    /// Becomes readable when it ends; signals go through it (S28).
    pub(crate) pidfd: OwnedFd,
}

/// The knowledge that this process has one thread. In a process with more, the child of a fork may find a lock held
/// for ever by a thread that does not exist in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alone {
    /// Not to be sent to a thread.
    not_send: PhantomData<*const ()>,
}

impl Alone {
    /// Looks. Holds from then on, because nothing in the shim makes threads.
    ///
    /// # Errors
    /// If there are more.
    pub(crate) fn check() -> io::Result<Alone> {
        match std::fs::read_dir("/proc/self/task")?.count() {
            1 => Ok(Alone { not_send: PhantomData }),
            n => Err(io::Error::other(format!("a process with {n} threads must not fork"))),
        }
    }
}

/// Forks; the child runs `run` and exits with what it returns, without unwinding into the parent's code.
///
/// # Errors
/// If the kernel refuses.
pub(crate) fn fork(_: Alone, run: impl FnOnce() -> i32) -> io::Result<Child> {
    // SAFETY: the process has one thread (the caller has looked), so every lock and every allocation is in a usable
    // state in the child.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => leave(run),
        pid => child(pid),
    }
}

/// Forks a sibling: its parent is this process's parent, which must wait for it. Returns its pid as this process
/// sees it.
///
/// # Errors
/// As [`fork`].
pub(crate) fn fork_sibling(_: Alone, run: impl FnOnce() -> i32) -> io::Result<i32> {
    let flags = libc::CLONE_PARENT | libc::SIGCHLD;
    // SAFETY: without CLONE_VM and with a null stack this is fork: the child continues on a copy of this stack;
    // the process has one thread (the caller has looked).
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        0 => leave(run),
        pid => i32::try_from(pid).map_err(io::Error::other),
    }
}

/// Forks the first process of a new process namespace.
///
/// # Errors
/// As [`fork`].
pub(crate) fn fork_apart(_: Alone, run: impl FnOnce() -> i32) -> io::Result<Child> {
    let flags = libc::CLONE_NEWPID | libc::SIGCHLD;
    // SAFETY: as in [`fork_sibling`].
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        0 => leave(run),
        pid => child(i32::try_from(pid).map_err(io::Error::other)?),
    }
}

fn leave(run: impl FnOnce() -> i32) -> ! {
    let code = catch_unwind(AssertUnwindSafe(run)).unwrap_or(PANICKED);
    // SAFETY: ends this process at once; handlers registered by the parent's code must not run a second time.
    unsafe { libc::_exit(code) }
}

fn child(pid: i32) -> io::Result<Child> {
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("fork returned no pid"))?;
    Ok(Child { pid, pidfd: pidfd_open(pid, PidfdFlags::empty())? })
}
