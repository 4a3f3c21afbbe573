//! Where inside a root does a path lead, and is it what it should be? Every step by descriptor, no link followed by
//! the kernel.

use super::Kind;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, readlinkat, statat, unlinkat,
};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// Most links followed in one path, as in the kernel.
const MAX_LINKS: u32 = 40;

/// A path without links.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Real {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    /// Whether its last component, or one before it, does not exist.
    pub(crate) missing: bool,
}

/// Follows the links of `path` inside `root`: absolute ones begin at the root, and nothing climbs above it.
///
/// The root must not be changing: it is a mount nobody else can reach.
pub(crate) fn resolve(root: BorrowedFd<'_>, path: &Path) -> io::Result<Real> {
    let mut todo: VecDeque<OsString> = names(path);
    let mut real = PathBuf::new();
    let mut missing = false;
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&name);
        match kind_of(root, &next) {
            Ok(FileType::Symlink) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::other(format!("{}: too many levels of symbolic links", path.display())));
                }
                let target = link_target(root, &next)?;
                if target.is_absolute() {
                    real.clear();
                }
                for name in names(&target).into_iter().rev() {
                    todo.push_front(name);
                }
            }
            Ok(_) => real = next,
            Err(Errno::NOENT) => {
                missing = true;
                real = next;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Real { path: real, missing })
}

/// Makes `path` a real thing of this kind, parents real directories; whatever else is in its place is replaced in
/// the top layer.
pub(crate) fn make_real(root: BorrowedFd<'_>, path: &Path, kind: Kind) -> io::Result<()> {
    let names = names(path);
    let Some((last, parents)) = names.iter().collect::<Vec<_>>().split_last().map(|(l, p)| ((*l).clone(), p.to_vec()))
    else {
        return Ok(());
    };
    let mut here: Option<OwnedFd> = None;
    for name in parents {
        here = Some(real_directory(here.as_ref().map_or(root, AsFd::as_fd), name)?);
    }
    let parent = here.as_ref().map_or(root, AsFd::as_fd);
    match kind {
        Kind::Directory => real_directory(parent, &last).map(drop),
        Kind::File => real_file(parent, &last),
    }
}

fn real_directory(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    match open_directory(parent, name) {
        Ok(fd) => return Ok(fd),
        Err(Errno::NOENT) => {}
        // A link, or a file: the library would follow the one and stumble over the other.
        Err(Errno::LOOP | Errno::NOTDIR) => unlinkat(parent, name, AtFlags::empty())?,
        Err(error) => return Err(error.into()),
    }
    mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    Ok(open_directory(parent, name)?)
}

fn real_file(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map(|s| FileType::from_raw_mode(s.st_mode)) {
        Ok(FileType::RegularFile) => return Ok(()),
        Ok(FileType::Directory) => {
            return Err(io::Error::other("it is a directory where a file has to be"));
        }
        Ok(_) => unlinkat(parent, name, AtFlags::empty())?,
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::from_raw_mode(0o644))?;
    Ok(())
}

fn open_directory(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    openat2(parent, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// What is at `path`, itself free of links but for its last component.
fn kind_of(root: BorrowedFd<'_>, path: &Path) -> Result<FileType, Errno> {
    let (parent, name) = split(root, path)?;
    let stat = statat(parent.as_ref().map_or(root, AsFd::as_fd), name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

fn link_target(root: BorrowedFd<'_>, path: &Path) -> io::Result<PathBuf> {
    let (parent, name) = split(root, path)?;
    let target = readlinkat(parent.as_ref().map_or(root, AsFd::as_fd), name, Vec::new())?;
    Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
}

fn split<'p>(root: BorrowedFd<'_>, path: &'p Path) -> Result<(Option<OwnedFd>, &'p OsStr), Errno> {
    let name = path.file_name().ok_or(Errno::INVAL)?;
    match path.parent().filter(|p| !p.as_os_str().is_empty()) {
        None => Ok((None, name)),
        Some(parent) => {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Ok((Some(openat2(root, parent, flags, Mode::empty(), resolve)?), name))
        }
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
