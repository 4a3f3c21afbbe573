//! How much does a volume hold? Asked every few seconds of every `emptyDir` on disk that has a limit (DLN-4).
//!
//! Counted as `du` does: blocks on the disk, a file of several names once. Containers go on writing meanwhile, so what
//! vanishes is no error, and nothing is followed.

use super::open;
use crate::beneath::{self, Links};
use rustix::fs::{AtFlags, Dir, FileType, OFlags};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the kernel counts blocks in (`stat(2)`).
const BLOCK: u64 = 512;

/// The bytes that the volume takes on the disk. Blocking.
///
/// # Errors
/// If the volume itself cannot be read.
pub fn usage(pod_dir: &Path, name: &str) -> io::Result<u64> {
    let volume = open(pod_dir, name)?;
    let mut counted = HashSet::new();
    let mut blocks = 0_u64;
    let mut directories = vec![PathBuf::new()];
    while let Some(path) = directories.pop() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = match beneath::open(volume.as_fd(), &path, flags, Links::Refused) {
            Err(error) if path.as_os_str().is_empty() => return Err(error),
            Err(_) => continue,
            Ok(directory) => directory,
        };
        for entry in Dir::read_from(&directory)?.flatten() {
            let entry = OsStr::from_bytes(entry.file_name().to_bytes());
            if entry == ".." || entry == "." && !path.as_os_str().is_empty() {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&directory, entry, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_directory || stat.st_nlink < 2 || counted.insert((stat.st_dev, stat.st_ino)) {
                blocks = blocks.saturating_add(u64::try_from(stat.st_blocks).unwrap_or(0));
            }
            if is_directory && entry != "." {
                directories.push(path.join(entry));
            }
        }
    }
    Ok(blocks.saturating_mul(BLOCK))
}
