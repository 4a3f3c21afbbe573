//! One run at a time. The lock belongs to an open file that the command inherits, so it is free only when the run and
//! everything it started are gone: a command that outlives its killed parent still keeps others away.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

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
    /// Takes the lock that belongs to this marker; `None` if it is not free by `until`.
    pub async fn take(marker: &Path, until: Instant, mut waiting: impl FnMut()) -> Result<Option<Lock>, Failure> {
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
                    waiting();
                    tokio::time::sleep(POLL).await;
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
                Err(errno) => return Err(place(errno.into())),
            }
        }
    }
}
