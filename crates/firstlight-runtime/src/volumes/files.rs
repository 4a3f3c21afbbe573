//! How do files of ConfigMaps, Secrets and pod fields get into a volume so that no reader ever sees a mix of old and
//! new? Asked by `volumes.rs` (VOL-6; layout of `pkg/volume/util/atomic_writer.go`).
//!
//! ```text
//! VOLUME/
//!   ..2026_11_20_10_00_00.0000000001/   the files
//!   ..data -> ..2026_11_20_10_00_00.0000000001      swapped by rename
//!   key    -> ..data/key                one link per top-level name
//! ```
//!
//! A container may have had the volume mounted writable once, so nothing here trusts what it finds: everything goes
//! through directory descriptors and follows no link (S9, S13).

mod content;

use super::empty;
use crate::beneath::{self, Links};
use firstlight_pod::action::VolumeFile;
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

/// The link that readers go through.
const DATA: &str = "..data";
/// The same link before it is renamed into place.
const DATA_NEXT: &str = "..data_tmp";
/// Longest path of a file (`PATH_MAX`, as the kubelet checks).
const PATH_MAX: usize = 4096;

/// The wanted files by relative path: what is compared and what is written.
type Wanted<'a> = BTreeMap<&'a Path, &'a VolumeFile>;

/// Brings the volume to hold `files` and no others; does nothing if it already does.
pub(super) fn prepare(
    all: BorrowedFd<'_>,
    name: &str,
    files: &[VolumeFile],
    memory: bool,
    fs_group: Option<u32>,
) -> Result<(), String> {
    let wanted = check(files)?;
    let failed = |e: io::Error| format!("cannot write its files: {e}");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(all, mark(name), flags, Mode::RUSR).map_err(|e| failed(e.into()))?;
    let volume = root(all, name, memory).map_err(failed)?;
    bring(volume.as_fd(), &wanted, fs_group).map_err(failed)
}

/// What stands beside a volume of files. No volume can have this name: none has a dot in it.
pub(super) fn mark(name: &str) -> String {
    format!("{name}.files")
}

/// The wanted files, if their paths can live together in one volume.
fn check(files: &[VolumeFile]) -> Result<Wanted<'_>, String> {
    let mut wanted = Wanted::new();
    for file in files {
        let path = Path::new(&file.path);
        if !beneath::is_plain(path) || file.path.starts_with("..") || file.path.len() > PATH_MAX {
            return Err(format!(
                "invalid path {:?}: it must be relative, must not contain '..' nor start with it, and have at most {PATH_MAX} characters",
                file.path
            ));
        }
        wanted.insert(path, file);
    }
    for path in wanted.keys() {
        let above = path.ancestors().skip(1).find(|above| wanted.contains_key(above));
        if let Some(above) = above {
            return Err(format!("paths {} and {} collide: one is inside the other", above.display(), path.display()));
        }
    }
    Ok(wanted)
}

fn root(all: BorrowedFd<'_>, name: &str, memory: bool) -> io::Result<OwnedFd> {
    if memory {
        let flags = MountFlags::NODEV;
        // Kernels before 6.4 do not know `noswap`.
        return match empty::mount(all, name, flags, "mode=755,noswap") {
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => empty::mount(all, name, flags, "mode=755"),
            other => other,
        };
    }
    beneath::make_dirs(all, Path::new(name), |made| Ok(rustix::fs::fchmod(made, Mode::from_raw_mode(0o755))?))
}

/// The order is what makes it atomic: files, then the swap, then links to what is new, then the end of what is old.
fn bring(volume: BorrowedFd<'_>, wanted: &Wanted<'_>, fs_group: Option<u32>) -> io::Result<()> {
    let current = current(volume)?;
    let up_to_date = match &current {
        Some(name) => content::is(volume, name, wanted, fs_group)?,
        None => false,
    };
    let next = if up_to_date { current } else { Some(publish(volume, wanted, fs_group)?) };
    link_names(volume, wanted)?;
    sweep(volume, next.as_deref(), wanted)
}

/// The directory that `..data` names, if it is one of ours.
fn current(volume: BorrowedFd<'_>) -> io::Result<Option<String>> {
    let target = match rustix::fs::readlinkat(volume, DATA, Vec::new()) {
        Ok(target) => target,
        Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let name = target.into_string().ok().filter(|name| is_generation(name));
    Ok(name)
}

fn publish(volume: BorrowedFd<'_>, wanted: &Wanted<'_>, fs_group: Option<u32>) -> io::Result<String> {
    let (name, directory) = new_generation(volume)?;
    content::write(directory.as_fd(), wanted, fs_group)?;
    beneath::remove_tree(volume, OsStr::new(DATA_NEXT))?;
    rustix::fs::symlinkat(name.as_str(), volume, DATA_NEXT)?;
    match rustix::fs::renameat(volume, DATA_NEXT, volume, DATA) {
        // Only somebody else could have put a directory there.
        Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => {
            beneath::remove_tree(volume, OsStr::new(DATA))?;
            rustix::fs::renameat(volume, DATA_NEXT, volume, DATA)?;
        }
        other => other?,
    }
    Ok(name)
}

/// `..YYYY_MM_DD_HH_MM_SS.NNNNNNNNNN`, in UTC; the number tells apart what one second made.
fn new_generation(volume: BorrowedFd<'_>) -> io::Result<(String, OwnedFd)> {
    let second = jiff::Timestamp::now().strftime("..%Y_%m_%d_%H_%M_%S").to_string();
    let mut number = 1u64;
    loop {
        let name = format!("{second}.{number:010}");
        match rustix::fs::mkdirat(volume, name.as_str(), Mode::RWXU) {
            Ok(()) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY;
                return Ok((name.clone(), beneath::open(volume, Path::new(&name), flags, Links::Refused)?));
            }
            Err(Errno::EXIST) => number += 1,
            Err(e) => return Err(e.into()),
        }
    }
}

fn is_generation(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("..") else { return false };
    !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '_' || c == '.')
}

/// One link per top-level name into `..data`; whatever else has the name is replaced.
fn link_names(volume: BorrowedFd<'_>, wanted: &Wanted<'_>) -> io::Result<()> {
    for name in top_names(wanted) {
        let target = Path::new(DATA).join(name);
        match rustix::fs::readlinkat(volume, name, Vec::new()) {
            Ok(present) if present.as_bytes() == target.as_os_str().as_bytes() => continue,
            Err(Errno::NOENT) => {}
            _ => beneath::remove_tree(volume, name)?,
        }
        rustix::fs::symlinkat(&target, volume, name)?;
    }
    Ok(())
}

fn top_names<'a>(wanted: &Wanted<'a>) -> BTreeSet<&'a OsStr> {
    wanted.keys().filter_map(|path| path.components().next()).map(Component::as_os_str).collect()
}

/// Removes names that are wanted no more, older generations, and what a killed change left.
fn sweep(volume: BorrowedFd<'_>, current: Option<&str>, wanted: &Wanted<'_>) -> io::Result<()> {
    let names = top_names(wanted);
    let mut stale = Vec::new();
    for entry in Dir::read_from(volume)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        let kept = name == "." || name == ".." || name == DATA || current.is_some_and(|c| name == c);
        if !kept && !names.contains(name) {
            stale.push(name.to_owned());
        }
    }
    for name in stale {
        beneath::remove_tree(volume, &name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
