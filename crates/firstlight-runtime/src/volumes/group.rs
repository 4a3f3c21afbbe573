//! How does everything in a volume come to belong to a group? Asked by `claim.rs` for volumes that outlive their pods
//! (VOL-12; upstream: `pkg/volume/volume_linux.go`).
//!
//! Containers write what is here, and may go on writing: nothing is followed, and what vanishes meanwhile is no error.

use crate::beneath::{self, Links};
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the group may do with files, and with directories, whose new files are the group's too.
const FILE: u32 = 0o660;
const DIRECTORY: u32 = 0o2770;

/// Gives the directory and all that is in it to the group; with `trust_root` only if the directory itself is not the
/// group's already.
pub(super) fn give(root: BorrowedFd<'_>, gid: u32, trust_root: bool) -> io::Result<()> {
    let stat = rustix::fs::fstat(root)?;
    if trust_root && stat.st_gid == gid && stat.st_mode & DIRECTORY == DIRECTORY {
        return Ok(());
    }
    let mut directories = vec![PathBuf::new()];
    while let Some(path) = directories.pop() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = match beneath::open(root, &path, flags, Links::Refused) {
            Err(e) if gone(&e) => continue,
            other => other?,
        };
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            match give_one(directory.as_fd(), Path::new(name), gid) {
                Ok(FileType::Directory) => directories.push(path.join(name)),
                Ok(_) => {}
                Err(e) if gone(&e) => {}
                Err(e) => return Err(e),
            }
        }
    }
    // Last: a root that is the group's means that all was done.
    own(root, &stat, gid)
}

fn give_one(directory: BorrowedFd<'_>, name: &Path, gid: u32) -> io::Result<FileType> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Symlink {
        rustix::fs::chownat(directory, name, None, Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW)?;
        return Ok(kind);
    }
    let entry = beneath::open(directory, name, OFlags::PATH | OFlags::NOFOLLOW, Links::Refused)?;
    let stat = rustix::fs::fstat(&entry)?;
    own(entry.as_fd(), &stat, gid)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

fn own(entry: BorrowedFd<'_>, stat: &Stat, gid: u32) -> io::Result<()> {
    let added = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => DIRECTORY,
        // It became one after it was looked at; a link's mode means nothing.
        FileType::Symlink => return Ok(()),
        _ => FILE,
    };
    rustix::fs::chownat(entry, "", None, Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH)?;
    let mode = Mode::from_raw_mode(stat.st_mode & 0o7777 | added);
    Ok(rustix::fs::chmod(beneath::proc_path(entry), mode)?)
}

fn gone(error: &io::Error) -> bool {
    let Some(errno) = Errno::from_io_error(error) else { return false };
    matches!(errno, Errno::NOENT | Errno::LOOP | Errno::NOTDIR)
}
