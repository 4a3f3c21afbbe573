//! Whether another engine uses the data directory: one locked file that names the process.
//!
//! The kernel drops the lock when its holder ends, however it ends, so a stale file never locks anybody out.

use crate::open::OpenError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// The held lock. Dropping it frees the directory.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    /// Whether a store was opened here before: then a missing database is a loss, not a beginning.
    pub(crate) used_before: bool,
}

impl Lock {
    /// Takes the lock of `dir`.
    pub(crate) fn take(dir: &Path) -> Result<Lock, OpenError> {
        let path = dir.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(OpenError::io(&path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(OpenError::Locked(dir.to_owned(), holder(&mut file))),
            Err(error) => return Err(OpenError::Io(path, error.into())),
        }
        let used_before = file.metadata().map_err(OpenError::io(&path))?.len() > 0;
        let mut lock = Lock { file, used_before };
        if used_before {
            lock.sign().map_err(OpenError::io(&path))?;
        }
        Ok(lock)
    }

    /// Writes this process's id for whom the lock keeps out. Left to the caller on first use: an empty lock file
    /// says that no database was completed here yet.
    pub(crate) fn sign(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{}", std::process::id())
    }
}

/// The process that holds the lock, or 0 while it has not signed yet.
fn holder(file: &mut File) -> u32 {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => text.trim().parse().unwrap_or(0),
        Err(_) => 0,
    }
}
