//! Does a generation of a file volume hold exactly the wanted files, and how is one written? Asked by `files.rs`.

use super::Wanted;
use crate::beneath::{self, Links};
use firstlight_pod::action::VolumeFile;
use rustix::fs::{Dir, FileType, Gid, Mode, OFlags};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Directories inside a generation.
const DIRECTORY_MODE: u32 = 0o755;
/// What `fsGroup` adds to files of a read-only volume, and to their directories (VOL-12).
const GROUP_FILE: u32 = 0o440;
const GROUP_DIRECTORY: u32 = 0o2550;

/// Whether the generation `name` holds the wanted files with their modes and owner, and nothing else.
pub(super) fn is(volume: BorrowedFd<'_>, name: &str, wanted: &Wanted<'_>, fs_group: Option<u32>) -> io::Result<bool> {
    let mut found = Vec::new();
    match list(volume, Path::new(name), Path::new(""), &mut found) {
        Ok(true) => {}
        Ok(false) => return Ok(false),
        // A link or a file where the generation should be is somebody else's work: to be replaced.
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ELOOP | libc::ENOTDIR)) => return Ok(false),
        Err(e) => return Err(e),
    }
    if found.len() != wanted.len() {
        return Ok(false);
    }
    for path in found {
        let Some(file) = wanted.get(path.as_path()) else { return Ok(false) };
        if !holds(volume, &Path::new(name).join(&path), file, fs_group)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes the wanted files into a new generation, each with its final mode and owner.
pub(super) fn write(generation: BorrowedFd<'_>, wanted: &Wanted<'_>, fs_group: Option<u32>) -> io::Result<()> {
    let finish = |directory: BorrowedFd<'_>| {
        let mode = DIRECTORY_MODE | fs_group.map_or(0, |_| GROUP_DIRECTORY);
        own(directory, fs_group, mode)
    };
    finish(generation)?;
    for (path, file) in wanted {
        let parent = path.parent().unwrap_or(Path::new(""));
        let name = path.file_name().unwrap_or_default();
        let directory = beneath::make_dirs(generation, parent, finish)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut new = File::from(rustix::fs::openat(&directory, name, flags, Mode::RUSR | Mode::WUSR)?);
        new.write_all(&file.data)?;
        own(new.as_fd(), fs_group, file_mode(file, fs_group))?;
    }
    Ok(())
}

fn file_mode(file: &VolumeFile, fs_group: Option<u32>) -> u32 {
    file.mode & 0o777 | fs_group.map_or(0, |_| GROUP_FILE)
}

fn own(fd: BorrowedFd<'_>, fs_group: Option<u32>, mode: u32) -> io::Result<()> {
    if let Some(gid) = fs_group {
        rustix::fs::fchown(fd, None, Some(Gid::from_raw(gid)))?;
    }
    Ok(rustix::fs::fchmod(fd, Mode::from_raw_mode(mode))?)
}

/// Collects the relative paths of all files; `false` if there is anything but files and directories.
fn list(volume: BorrowedFd<'_>, generation: &Path, at: &Path, found: &mut Vec<PathBuf>) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let directory = beneath::open(volume, &generation.join(at), flags, Links::Refused)?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let fine = match entry.file_type() {
            FileType::RegularFile => {
                found.push(at.join(name));
                true
            }
            FileType::Directory => list(volume, generation, &at.join(name), found)?,
            _ => false,
        };
        if !fine {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds(volume: BorrowedFd<'_>, path: &Path, file: &VolumeFile, fs_group: Option<u32>) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let present = File::from(beneath::open(volume, path, flags, Links::Refused)?);
    let stat = rustix::fs::fstat(&present)?;
    let same_owner = fs_group.is_none_or(|gid| stat.st_gid == gid);
    let same_size = u64::try_from(stat.st_size).ok() == u64::try_from(file.data.len()).ok();
    if stat.st_mode & 0o7777 != file_mode(file, fs_group) || !same_owner || !same_size {
        return Ok(false);
    }
    let mut data = Vec::with_capacity(file.data.len());
    present.take(file.data.len() as u64 + 1).read_to_end(&mut data)?;
    Ok(data == file.data)
}
