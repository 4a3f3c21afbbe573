//! The engine of a data directory from outside: whether it left state, whose it is, and how to end it.

use anyhow::{Context, Result, bail};
use firstlight_store::{OpenError, Store};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::path::Path;
use std::time::Duration;

/// Says that `firstlight up` started the engine, so that `firstlight down` ends it.
const BELONGS_TO_UP: &str = "belongs-to-up";

/// Whether an engine has ever kept state here.
#[must_use]
pub fn has_state(data_dir: &Path) -> bool {
    data_dir.join("store").exists()
}

/// Whether the engine of this directory was started by `up`.
#[must_use]
pub fn belongs_to_up(data_dir: &Path) -> bool {
    data_dir.join(BELONGS_TO_UP).exists()
}

/// Marks the engine of this directory as started by `up`.
pub(crate) fn mark_as_up(data_dir: &Path) -> Result<()> {
    std::fs::write(data_dir.join(BELONGS_TO_UP), b"").context("cannot mark the engine as started by `up`")
}

/// Ends the engine of this directory and removes everything it kept there.
///
/// # Errors
/// If it does not end within `limit`, or its files cannot be removed.
pub fn end(data_dir: &Path, limit: Duration) -> Result<()> {
    if let Err(OpenError::Locked(_, pid)) = Store::open(&data_dir.join("store"))
        && let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
        && let Ok(engine) = pidfd_open(pid, PidfdFlags::empty())
    {
        pidfd_send_signal(&engine, Signal::TERM).context("cannot end the engine")?;
        let limit = Timespec::try_from(limit).context("limit too long")?;
        if poll(&mut [PollFd::new(&engine, PollFlags::IN)], Some(&limit))? == 0 {
            bail!("the engine (process {}) has not ended in time", pid.as_raw_nonzero());
        }
    }
    match std::fs::remove_dir_all(data_dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", data_dir.display()))
        }
        _ => Ok(()),
    }
}
