//! One run at a time. The lock belongs to an open file that the command inherits, so it is free only when the run and
//! everything it started are gone: a command that outlives its killed parent still keeps others away.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::failure::Failure;
use crate::publish;

/// How often a taken lock is tried again.
pub const POLL: Duration = Duration::from_millis(100);

/// The lock, while it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock that belongs to this marker; `None` if it is not free by `until`. While it is not free, `waiting`
    /// is asked each time whether what holds it is left of a dead run and is to be ended.
    pub async fn take(
        marker: &Path,
        until: Instant,
        mut waiting: impl FnMut() -> bool,
    ) -> Result<Option<Lock>, Failure> {
        let place = |error| Failure::io(marker.display(), error);
        marker.parent().map_or(Ok(()), publish::create_directories).map_err(place)?;
        let path = publish::beside(marker, "lock").map_err(place)?;
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let file = options.open(path).map_err(place)?;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    fcntl_setfd(&file, FdFlags::empty()).map_err(|errno| place(errno.into()))?;
                    return Ok(Some(Lock { _file: file }));
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < until => {
                    if waiting() {
                        end_orphans(&file);
                    }
                    tokio::time::sleep(POLL).await;
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
                Err(errno) => return Err(place(errno.into())),
            }
        }
    }
}

/// Ends every process that holds the lock of this file and is not this program. The run they belonged to is dead; in
/// a container nothing outlives it, elsewhere what its command had started may.
fn end_orphans(lock: &File) {
    let Ok(lock) = lock.metadata() else { return };
    let ours = std::fs::metadata("/proc/self/exe").ok();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { continue };
        // The handle first, the look afterwards: what was looked at is what is ended.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let program = std::fs::metadata(entry.path().join("exe")).ok();
        let another_run = same(program.as_ref(), ours.as_ref());
        if !another_run && holds(&entry.path(), &lock) {
            let _gone = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

fn same(one: Option<&Metadata>, other: Option<&Metadata>) -> bool {
    one.zip(other).is_some_and(|(one, other)| (one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Whether a process has the file open by the very opening that holds the lock (`man 5 proc_pid_fdinfo`).
fn holds(process: &Path, lock: &Metadata) -> bool {
    let descriptors = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    descriptors.into_iter().any(|descriptor| {
        let open = std::fs::metadata(descriptor.path()).ok();
        let info = || std::fs::read_to_string(process.join("fdinfo").join(descriptor.file_name())).unwrap_or_default();
        same(open.as_ref(), Some(lock))
            && info().lines().any(|line| line.starts_with("lock:") && line.contains("FLOCK"))
    })
}
