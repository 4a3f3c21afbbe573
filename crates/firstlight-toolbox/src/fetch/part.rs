//! The hidden file a download grows in, and the note that says what it is a part of.
//!
//! One process at a time works on it (a lock that dies with the process). What a killed run left is continued only
//! if it is part of the very same representation (a strong validator, RFC 9110 section 8.8.1) and a digest will judge
//! the whole.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use serde_json::{Value, json};

use crate::hash::{self, Hasher};
use crate::publish::{Staged, beside, write};

/// What a part belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// A strong entity tag, quotes included.
    pub etag: String,
    /// The size of the whole.
    pub size: u64,
}

/// A download in progress.
#[derive(Debug)]
pub struct Part {
    file: File,
    path: PathBuf,
    note: PathBuf,
    /// The bytes so far.
    pub hasher: Hasher,
    /// What they are part of; `None` if they cannot be continued.
    pub whole: Option<Whole>,
}

impl Part {
    /// Opens the part of `target`, or `None` if another process is at it.
    pub async fn open(target: &Path, may_continue: bool) -> io::Result<Option<Part>> {
        let (path, note) = (beside(target, "part")?, beside(target, "part-of")?);
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags)
            .open(&path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        // Another process may have published the file we opened; ours must be the one under that name.
        let linked = std::fs::symlink_metadata(&path)
            .is_ok_and(|found| file.metadata().is_ok_and(|ours| ours.ino() == found.ino()));
        if !linked {
            return Ok(None);
        }
        let mut part = Part { file, path, note, hasher: Hasher::default(), whole: None };
        let whole = read(&part.note).filter(|_| may_continue);
        match whole {
            Some(whole) if part.file.metadata()?.len() <= whole.size => {
                part.hasher = hash::of_file(&part.file).await?;
                part.whole = Some(whole);
            }
            Some(_) | None => part.restart(None)?,
        }
        Ok(Some(part))
    }

    /// Throws the bytes away; the next ones are part of `whole`.
    pub fn restart(&mut self, whole: Option<Whole>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.hasher = Hasher::default();
        match &whole {
            Some(Whole { etag, size }) => {
                let note = json!({ "etag": etag, "size": size }).to_string();
                write(&self.note, note.as_bytes(), 0o600)?;
            }
            None => remove(&self.note)?,
        }
        self.whole = whole;
        Ok(())
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.hasher.size)?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Everything so far.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0u8; usize::try_from(self.hasher.size).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// The filesystem's free bytes for us.
    pub fn free(&self) -> io::Result<u64> {
        let free = rustix::fs::fstatvfs(&self.file)?;
        Ok(free.f_bavail.saturating_mul(free.f_frsize))
    }

    /// Makes it the target.
    pub fn publish(self, target: &Path, mode: u32) -> io::Result<()> {
        self.file.set_permissions(Permissions::from_mode(mode))?;
        Staged::adopt(self.file, self.path, target).publish()?;
        remove(&self.note)
    }

    /// Leaves nothing behind.
    pub fn abandon(self) {
        let _gone = remove(&self.path);
        let _gone = remove(&self.note);
    }
}

fn read(note: &Path) -> Option<Whole> {
    let note: Value = serde_json::from_slice(&std::fs::read(note).ok()?).ok()?;
    Some(Whole { etag: note["etag"].as_str()?.to_owned(), size: note["size"].as_u64()? })
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
