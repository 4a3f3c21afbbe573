//! How are paths that somebody else chose or can change opened, made and removed without ever leaving a directory?
//! Asked by whatever handles image layers, volumes and pod directories (S5, S8, S9).
//!
//! Every function starts from an open directory. The kernel resolves, in one call, and refuses to leave
//! (`openat2(2)`, `RESOLVE_BENEATH`), so there is no moment between a check and a use.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

/// What a removal renames the directories to that it lifts out of others.
const LIFTED: &str = ".firstlight-lifted-";
/// How often an opening is tried again when the kernel saw a rename race with a `..` it followed (`EAGAIN`).
const RACES_MAX: usize = 128;

/// Whether links may be followed, so far as they stay beneath.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// Followed while they stay beneath the directory; magic links never.
    Beneath,
    /// A link anywhere on the way is an error (`ELOOP`).
    Refused,
}

/// Opens `path` beneath `root`; an empty path is `root` itself.
pub(crate) fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlags, links: Links) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if links == Links::Refused {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    for _ in 0..RACES_MAX {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// Opens the directory `path` beneath `root` and makes what is missing of it; `made` is called with each new
/// directory, open and still empty, to give it its mode and owner.
pub(crate) fn make_dirs(
    root: BorrowedFd<'_>,
    path: &Path,
    mut made: impl FnMut(BorrowedFd<'_>) -> io::Result<()>,
) -> io::Result<OwnedFd> {
    let directory = OFlags::RDONLY | OFlags::DIRECTORY;
    match open(root, path, directory, Links::Beneath) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let mut missing: Vec<&OsStr> = Vec::new();
    let mut existing = path;
    let mut current = loop {
        let (Some(parent), Some(name)) = (existing.parent(), existing.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        missing.push(name);
        existing = parent;
        match open(root, existing, directory, Links::Beneath) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => break other?,
        }
    };
    for name in missing.into_iter().rev() {
        let new = match rustix::fs::mkdirat(&current, name, Mode::RWXU) {
            Err(Errno::EXIST) => false,
            other => other.map(|()| true)?,
        };
        // A link that leads nowhere ends here: it exists, and is not followed.
        current = open(current.as_fd(), Path::new(name), directory, Links::Refused)?;
        if new {
            made(current.as_fd())?;
        }
    }
    Ok(current)
}

/// The path behind an open descriptor, for the calls that take no descriptor (mount, chmod of an `O_PATH` one).
pub(crate) fn proc_path(fd: BorrowedFd<'_>) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Whether `path` names one thing beneath wherever it is used: relative, not empty, no `.` or `..` in it.
pub(crate) fn is_plain(path: &Path) -> bool {
    !path.as_os_str().is_empty()
        && !path.as_os_str().as_bytes().contains(&0)
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Removes `name` from `parent`, with all that is in it, however deep; no error if it is gone. Links are removed, not
/// followed.
///
/// Instead of descending, a directory's subdirectories are lifted to the top before it is removed, so that a tree of
/// any depth costs three descriptors and no stack.
pub(crate) fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    if unlink_unless_directory(parent, name)? {
        return Ok(());
    }
    let top = match open(parent, Path::new(name), OFlags::RDONLY | OFlags::DIRECTORY, Links::Refused) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let mut lifted = 0u64;
    while each_entry(top.as_fd(), |name| {
        if !unlink_unless_directory(top.as_fd(), name)? {
            remove_lifting(top.as_fd(), name, &mut lifted)?;
        }
        Ok(())
    })? {}
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}

/// Removes the directory `name` of `top` after its subdirectories were renamed into `top`.
fn remove_lifting(top: BorrowedFd<'_>, name: &OsStr, lifted: &mut u64) -> io::Result<()> {
    let directory = open(top, Path::new(name), OFlags::RDONLY | OFlags::DIRECTORY, Links::Refused)?;
    while each_entry(directory.as_fd(), |inner| {
        if !unlink_unless_directory(directory.as_fd(), inner)? {
            loop {
                *lifted += 1;
                let to = format!("{LIFTED}{lifted}");
                match rustix::fs::renameat_with(&directory, inner, top, to.as_str(), RenameFlags::NOREPLACE) {
                    Err(Errno::EXIST) => {}
                    other => break other?,
                }
            }
        }
        Ok(())
    })? {}
    Ok(rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR)?)
}

/// Calls `act` with each entry; answers whether there was any. Entries may be missed while others vanish, so callers
/// repeat until there is none.
fn each_entry(directory: BorrowedFd<'_>, mut act: impl FnMut(&OsStr) -> io::Result<()>) -> io::Result<bool> {
    let mut any = false;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            any = true;
            act(OsStr::from_bytes(name))?;
        }
    }
    Ok(any)
}

/// Whether `name` is gone now; a directory stays.
fn unlink_unless_directory(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<bool> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        // POSIX lets a kernel say EPERM for a directory; an immutable file says it too.
        Err(Errno::PERM) => {
            let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_directory { Ok(false) } else { Err(Errno::PERM.into()) }
        }
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests;
