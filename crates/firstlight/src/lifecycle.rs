//! The engine of a data directory from outside: whether it left state, whose it is, and how to end it.

use anyhow::{Context, Result, bail};
use firstlight_store::{OpenError, Store};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Says that `firstlight up` started the engine, so that `firstlight down` ends it.
const BELONGS_TO_UP: &str = "belongs-to-up";

/// All that an engine, or `up` on its behalf, keeps in a data directory. Nothing else there is ever removed.
const KEPT: [&str; 9] =
    [BELONGS_TO_UP, "engine.log", "images", "kubeconfig", "pki", "port", "runtime", "store", "subnet"];

/// Whether an engine has ever kept state here.
#[must_use]
pub fn has_state(data_dir: &Path) -> bool {
    data_dir.join("store").join("lock").exists()
}

/// Whether this directory may become an engine's, or is one already. A directory with somebody's files in it may not:
/// an engine keeps files under plain names there, and `down` removes them.
///
/// # Errors
/// If it holds what no engine left there, or cannot be read.
pub fn check_place(data_dir: &Path) -> Result<()> {
    if has_state(data_dir) {
        return Ok(());
    }
    let entries = match std::fs::read_dir(data_dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("cannot read {}", data_dir.display()))?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        // What is there before there is state: the log of a start, images imported ahead, directories just made.
        let early = match name.to_str() {
            Some("engine.log" | "images") => true,
            Some("store" | "runtime") => {
                std::fs::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_none())
            }
            _ => false,
        };
        if !early {
            bail!(
                "{} is no engine's: it holds {}; name a --data-dir that is empty or does not exist yet",
                data_dir.display(),
                name.display()
            );
        }
    }
    Ok(())
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

/// Ends the engine of this directory and removes everything it kept there, and nothing else.
///
/// # Errors
/// If it does not end within `limit`, if it left pods that only another engine can end, or if its files cannot be
/// removed.
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
    check_nothing_left(data_dir)?;
    remove(data_dir)
}

/// What another engine needs to end a pod must not be removed before the pod is.
fn check_nothing_left(data_dir: &Path) -> Result<()> {
    let left = std::fs::read_dir(data_dir.join("runtime").join("pods")).into_iter().flatten().count();
    if left > 0 {
        bail!("the engine has ended and left something of {left} pods; run `firstlight down` again to end them");
    }
    Ok(())
}

/// Removes what the engine kept, and the directory if that was all.
fn remove(data_dir: &Path) -> Result<()> {
    for name in KEPT {
        let path = data_dir.join(name);
        let removed = match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(&path),
            Ok(_) => std::fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    match std::fs::remove_dir(data_dir) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
            Err(error).with_context(|| format!("cannot remove {}", data_dir.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
