//! Who is the first process of a pod whose containers share their processes (SEC-8)? A fork of the shim that holds the
//! process namespace open, takes in what containers orphan, and does nothing else.
//!
//! Containers see it as process 1, and one that was given CAP_SYS_PTRACE may make it do what it likes. So it is less
//! than any container: an empty root of its own, nobody's user, no capability, no descriptor, and the filter that
//! containers without capabilities have.

use crate::container::confine;
use crate::container::seccomp::Filter;
use crate::sys::fork::{Alone, Child, fork_apart};
use crate::sys::{fds, namespace, signal};
use anyhow::{Context, bail};
use rustix::fd::{AsFd, OwnedFd};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, chdir, pivot_root, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Nobody's user and group: the highest that every kernel maps (upstream: the pause image's).
const NOBODY: u32 = 65_535;

/// Makes it, and waits until it holds. `empty` is a directory to mount its root at; only it sees the mount.
///
/// # Errors
/// Why it could not become what it must be.
pub(crate) fn begin(alone: Alone, empty: &Path, filter: &Filter) -> anyhow::Result<Child> {
    let (said, say) = pipe_with(PipeFlags::CLOEXEC)?;
    // Its end of the pipe goes with the closure: here at once, there when it holds.
    let child = fork_apart(alone, move || match give_up_everything(&say, empty, filter) {
        Ok(()) => {
            drop(say);
            loop {
                rustix::event::pause();
            }
        }
        Err(error) => {
            let _ = File::from(say).write_all(format!("{error:#}").as_bytes());
            1
        }
    })?;
    let mut words = String::new();
    File::from(said).read_to_string(&mut words)?;
    if !words.is_empty() {
        bail!("the process that holds the pod's processes together: {words}");
    }
    Ok(child)
}

fn give_up_everything(say: &OwnedFd, empty: &Path, filter: &Filter) -> anyhow::Result<()> {
    fds::close_all_but(&[say.as_fd()])?;
    // What containers orphan becomes its child, and is waited for by the kernel.
    signal::ignore(libc::SIGCHLD)?;
    namespace::unshare(UnshareFlags::NEWNS)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", empty, "tmpfs", flags, c"size=4k,mode=555").context("an empty root")?;
    chdir(empty)?;
    pivot_root(".", ".").context("moving into the empty root")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    confine::become_nobody(NOBODY).context("becoming nobody")?;
    filter.load().context("system call filter")?;
    // After the change of user, which forgets it: with the shim everything of the sandbox ends.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}
