//! How a file comes to be: whole, under its final name, with its final mode, and still there after a power cut.
//!
//! ```text
//! create beside the target, exclusively, following no link, mode set ─► write ─► fsync ─► rename ─► fsync directory
//! ```
//!
//! A reader therefore sees the old file or the new one, never a part. Dropped before [`Staged::publish`], nothing stays.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

/// The mode of a file nobody asked a mode for: never readable by the world.
pub const DEFAULT_MODE: u32 = 0o640;

/// A file being made beside its final place.
#[derive(Debug)]
pub struct Staged {
    /// Where the bytes go.
    pub file: File,
    temporary: PathBuf,
    target: PathBuf,
    kept: bool,
}

impl Staged {
    /// Starts a file that will be `target`. What killed runs left beside it is swept away first.
    pub fn new(target: &Path, mode: u32) -> io::Result<Staged> {
        sweep(target)?;
        for _ in 0..NAMES_TRIED {
            let temporary = beside(target, &format!("new-{}", random_word()?))?;
            let file = create_exclusive(&temporary, mode)?;
            // Locked and still linked: no sweep took it for a leftover in between.
            let ours = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && file.metadata()?.nlink() > 0;
            if ours {
                return Ok(Staged { file, temporary, target: target.to_path_buf(), kept: false });
            }
        }
        Err(io::Error::other("another process sweeps this directory without end"))
    }

    /// Adopts a file that was written beside its target by other means.
    pub fn adopt(file: File, temporary: PathBuf, target: &Path) -> Staged {
        Staged { file, temporary, target: target.to_path_buf(), kept: false }
    }

    /// Makes it durable under its final name.
    pub fn publish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.temporary, &self.target)?;
        self.kept = true;
        sync_directory(&self.target)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            let _gone = std::fs::remove_file(&self.temporary);
        }
    }
}

/// How often a new file may fall victim to a sweep that runs at the same time.
const NAMES_TRIED: u32 = 16;

/// Removes what killed runs left of `target`. A living run holds the lock of its unfinished file.
fn sweep(target: &Path) -> io::Result<()> {
    let prefix = beside(target, "new-")?;
    let prefix = prefix.file_name().unwrap_or_default().as_encoded_bytes();
    let parent = parent(target);
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(prefix) {
            continue;
        }
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
        let left = match OpenOptions::new().read(true).custom_flags(flags).open(entry.path()) {
            Ok(file) => flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok(),
            // A link, or a file nobody may read: none of a living run of ours.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if left {
            let _already_gone = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn random_word() -> io::Result<String> {
    let mut bytes = [0u8; 8];
    rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// Publishes bytes in one go.
pub fn write(target: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut staged = Staged::new(target, mode)?;
    staged.file.write_all(bytes)?;
    staged.publish()
}

/// Creates a file that did not exist, following no link, with exactly this mode from before its first byte.
pub fn create_exclusive(path: &Path, mode: u32) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = OpenOptions::new()
        .write(true)
        .read(true)
        .create_new(true)
        .mode(mode & 0o600)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)?;
    // The umask may have taken bits away; they are given back before there is anything to read.
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// A hidden name beside `target`, for a file of ours that belongs to it.
pub fn beside(target: &Path, kind: &str) -> io::Result<PathBuf> {
    let name = target
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", target.display())))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".fl-");
    hidden.push(kind);
    Ok(target.with_file_name(hidden))
}

/// Makes the directory entry of `path` durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Creates the directory and its parents if they are missing, durably.
pub fn create_directories(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_directories(parent)?;
    }
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    sync_directory(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_mode_and_its_bytes_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("genesis.json");
        write(&target, b"one", 0o640).expect("published");
        write(&target, b"two", 0o604).expect("published again");
        assert_eq!(std::fs::read(&target).expect("there"), b"two");
        assert_eq!(std::fs::metadata(&target).expect("there").permissions().mode() & 0o7777, 0o604);
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn an_unpublished_file_leaves_the_old_one_and_no_trace() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("genesis.json");
        write(&target, b"old", DEFAULT_MODE).expect("published");
        let mut staged = Staged::new(&target, DEFAULT_MODE).expect("staged");
        staged.file.write_all(b"half").expect("written");
        drop(staged);
        assert_eq!(std::fs::read(&target).expect("there"), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_leftover_is_swept_and_a_living_run_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("genesis.json");
        let left = beside(&target, "new-dead").expect("a name");
        std::fs::write(&left, b"half").expect("written");
        let mut living = Staged::new(&target, DEFAULT_MODE).expect("staged");
        assert!(!left.exists());
        write(&target, b"other run", DEFAULT_MODE).expect("published");
        living.file.write_all(b"this run").expect("written");
        living.publish().expect("still there");
        assert_eq!(std::fs::read(&target).expect("there"), b"this run");
    }

    #[test]
    fn a_link_planted_beside_the_target_or_in_its_place_is_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let canary = dir.path().join("canary");
        std::fs::write(&canary, b"untouched").expect("written");
        let target = dir.path().join("genesis.json");
        std::os::unix::fs::symlink(&canary, beside(&target, "new-1").expect("a name")).expect("planted");
        std::os::unix::fs::symlink(&canary, &target).expect("planted");
        write(&target, b"bytes", DEFAULT_MODE).expect("published");
        assert_eq!(std::fs::read(&canary).expect("there"), b"untouched");
        assert!(!target.symlink_metadata().expect("there").is_symlink());
    }

    #[test]
    fn missing_parents_are_made() {
        let dir = tempfile::tempdir().expect("a directory");
        create_directories(&dir.path().join("a/b/c")).expect("made");
        create_directories(&dir.path().join("a/b/c")).expect("still fine");
        assert!(dir.path().join("a/b/c").is_dir());
    }
}
