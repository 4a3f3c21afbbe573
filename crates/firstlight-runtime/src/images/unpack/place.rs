//! How does one entry get its place in the tree? Asked by `unpack` for each entry in turn.

use super::Refusal;
use super::entries::{Entry, Kind};
use super::name::plain;
use crate::beneath::{self, Links};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The mark by which overlayfs hides what lower layers have in a directory.
pub(in crate::images) const OPAQUE: &str = "trusted.overlay.opaque";
/// Before a name: that name is gone (OCI image specification, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";
/// As a name: everything lower layers have here is gone.
const WHITEOUT_ALL: &[u8] = b".wh..wh..opq";
/// Before a name: bookkeeping of AUFS, not content.
const WHITEOUT_META: &[u8] = b".wh..wh.";
/// Mode of directories that no entry announces.
const IMPLICIT: u32 = 0o755;
/// Most bytes that the names of all directories may take: they are kept until the end (S6).
const DIRECTORY_NAMES_MAX: usize = 64 << 20;
/// Longest target of a symbolic link (`PATH_MAX` and its end mark).
const TARGET_MAX: usize = 4095;

/// The tree as unpacked so far.
pub(super) struct Tree {
    root: OwnedFd,
    /// Directories whose time is set last: what is made in them changes it.
    directories: Vec<(PathBuf, Timestamps)>,
    /// Bytes of their names.
    names: usize,
}

/// What went wrong with an entry, whose name the caller knows.
pub(super) enum Fault {
    Refused(String),
    Io(io::Error),
}

impl Fault {
    pub(super) fn at(self, entry: &str) -> Refusal {
        let entry = entry.to_owned();
        match self {
            Fault::Refused(reason) => Refusal::Entry { entry, reason },
            Fault::Io(e) => Refusal::Io(io::Error::new(e.kind(), format!("entry {entry:?}: {e}"))),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Fault {
        Fault::Io(error.into())
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Fault {
        Fault::Refused(reason)
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Fault {
        Fault::Refused(reason.to_owned())
    }
}

impl Tree {
    pub(super) fn new(root: OwnedFd) -> Tree {
        Tree { root, directories: Vec::new(), names: 0 }
    }

    pub(super) fn put(&mut self, entry: Entry, data: &mut impl Read) -> Result<(), Fault> {
        let path = plain(&entry.path)?;
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return self.put_root(&entry);
        };
        let bookkeeping = |part: &Path| part.as_os_str().as_bytes().starts_with(WHITEOUT_META);
        if name.as_bytes() == WHITEOUT_ALL {
            let directory = self.directory(parent)?;
            return Ok(set_opaque(directory.as_fd())?);
        }
        if path.iter().any(|part| bookkeeping(Path::new(part))) {
            return Ok(());
        }
        if let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT) {
            return self.whiteout(parent, OsStr::from_bytes(hidden));
        }
        match entry.kind {
            Kind::Directory => self.put_directory(parent, name, &path, &entry),
            Kind::File => self.put_file(parent, name, &entry, data),
            Kind::Symlink => self.put_symlink(parent, name, &entry),
            Kind::Hardlink => self.put_hardlink(parent, name, &path, &entry),
            Kind::Fifo => self.put_fifo(parent, name, &entry),
            // A container's /dev is its own; what an image has there is never seen.
            Kind::Device if path.starts_with("dev") => Ok(()),
            Kind::Device => Err("it is a device".into()),
        }
    }

    /// Sets the times of directories, now that nothing changes in them any more.
    pub(super) fn finish(self) -> io::Result<()> {
        for (path, times) in self.directories {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            match beneath::open(self.root.as_fd(), &path, flags, Links::Refused) {
                Ok(directory) => rustix::fs::futimens(&directory, &times)?,
                // A later entry took its place.
                Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// An entry named `.`: only the root's own mode, owner and time. As a link it would turn the root into something
    /// else (GHSA-9m95-8hx6-7p9v).
    fn put_root(&mut self, entry: &Entry) -> Result<(), Fault> {
        if entry.kind != Kind::Directory {
            return Err("it would replace the root of the layer".into());
        }
        dress(self.root.as_fd(), entry)?;
        self.remember(PathBuf::new(), entry)
    }

    fn put_directory(&mut self, parent: &Path, name: &OsStr, path: &Path, entry: &Entry) -> Result<(), Fault> {
        let parent = self.directory(parent)?;
        let present = look(parent.as_fd(), name)?;
        if present != Some(Present::Directory) {
            beneath::remove_tree(parent.as_fd(), name)?;
            rustix::fs::mkdirat(&parent, name, Mode::RWXU)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = beneath::open(parent.as_fd(), Path::new(name), flags, Links::Refused)?;
        if present == Some(Present::Whiteout) {
            set_opaque(directory.as_fd())?;
        }
        dress(directory.as_fd(), entry)?;
        self.remember(path.to_owned(), entry)
    }

    fn remember(&mut self, directory: PathBuf, entry: &Entry) -> Result<(), Fault> {
        self.names += directory.as_os_str().len() + size_of::<(PathBuf, Timestamps)>();
        if self.names > DIRECTORY_NAMES_MAX {
            return Err("there are too many directories".into());
        }
        self.directories.push((directory, times(entry)));
        Ok(())
    }

    fn put_file(&self, parent: &Path, name: &OsStr, entry: &Entry, data: &mut impl Read) -> Result<(), Fault> {
        let parent = self.room(parent, name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&parent, name, flags, Mode::RUSR | Mode::WUSR)?);
        io::copy(data, &mut file)?;
        dress(file.as_fd(), entry)?;
        Ok(rustix::fs::futimens(&file, &times(entry))?)
    }

    fn put_symlink(&self, parent: &Path, name: &OsStr, entry: &Entry) -> Result<(), Fault> {
        // The target is only text here: it is resolved inside the container, never by us.
        if entry.link.is_empty() || entry.link.len() > TARGET_MAX || entry.link.contains(&0) {
            return Err("its link target is empty, too long, or has a zero byte".into());
        }
        let parent = self.room(parent, name)?;
        rustix::fs::symlinkat(OsStr::from_bytes(&entry.link), &parent, name)?;
        self.dress_by_name(parent.as_fd(), name, entry)
    }

    fn put_hardlink(&self, parent: &Path, name: &OsStr, path: &Path, entry: &Entry) -> Result<(), Fault> {
        let target = plain(&entry.link).map_err(|reason| format!("its link target: {reason}"))?;
        let (Some(target_name), Some(target_parent)) = (target.file_name(), target.parent()) else {
            return Err("its link target is the root of the layer".into());
        };
        if target == path {
            return Err("it is a link to itself".into());
        }
        let outside = || format!("its link target {} is not a file of this layer", target.display());
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let from = beneath::open(self.root.as_fd(), target_parent, flags, Links::Beneath).map_err(|_| outside())?;
        if look(from.as_fd(), target_name)? != Some(Present::Other) {
            return Err(outside().into());
        }
        let to = self.room(parent, name)?;
        match rustix::fs::linkat(&from, target_name, &to, name, AtFlags::empty()) {
            // Making room for it may have removed the target.
            Err(Errno::NOENT) => Err(outside().into()),
            other => Ok(other?),
        }
    }

    fn put_fifo(&self, parent: &Path, name: &OsStr, entry: &Entry) -> Result<(), Fault> {
        let parent = self.room(parent, name)?;
        rustix::fs::mknodat(&parent, name, FileType::Fifo, Mode::RUSR, 0)?;
        self.dress_by_name(parent.as_fd(), name, entry)?;
        let fifo = beneath::open(parent.as_fd(), Path::new(name), OFlags::PATH, Links::Refused)?;
        Ok(rustix::fs::chmod(beneath::proc_path(fifo.as_fd()), Mode::from_raw_mode(entry.mode))?)
    }

    /// What lower layers call by this name is gone. What this layer has by this name stays (OCI image specification:
    /// a whiteout hides lower layers only), but no longer lets anything shine through.
    fn whiteout(&self, parent: &Path, name: &OsStr) -> Result<(), Fault> {
        if name.is_empty() || name == "." || name == ".." {
            return Err("it is a whiteout of nothing".into());
        }
        let parent = self.directory(parent)?;
        match look(parent.as_fd(), name)? {
            Some(Present::Directory) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY;
                let directory = beneath::open(parent.as_fd(), Path::new(name), flags, Links::Refused)?;
                Ok(set_opaque(directory.as_fd())?)
            }
            Some(Present::Whiteout | Present::Other) => Ok(()),
            None => Ok(rustix::fs::mknodat(&parent, name, FileType::CharacterDevice, Mode::empty(), 0)?),
        }
    }

    /// The parent, with nothing in it by this name: later entries replace earlier ones.
    fn room(&self, parent: &Path, name: &OsStr) -> Result<OwnedFd, Fault> {
        let parent = self.directory(parent)?;
        beneath::remove_tree(parent.as_fd(), name)?;
        Ok(parent)
    }

    /// The directory at `path`, made if no entry announced it. Links on the way are followed as long as they stay in
    /// the layer.
    fn directory(&self, path: &Path) -> Result<OwnedFd, Fault> {
        let made = |directory: BorrowedFd<'_>| Ok(rustix::fs::fchmod(directory, Mode::from_raw_mode(IMPLICIT))?);
        let opened = match beneath::make_dirs(self.root.as_fd(), path, made) {
            Err(e) if e.raw_os_error() == Some(libc::ENOTDIR) && self.revive(path)? => {
                beneath::make_dirs(self.root.as_fd(), path, made)
            }
            other => other,
        };
        opened.map_err(|e| match e.raw_os_error() {
            Some(libc::EXDEV | libc::ELOOP) => {
                Fault::from("its parent is a link that leads out of the layer, or nowhere")
            }
            Some(libc::ENOTDIR) => Fault::from("its parent is not a directory"),
            _ => Fault::Io(e),
        })
    }

    /// Turns a whiteout that is an ancestor in `path` into the opaque directory that it means together with what
    /// follows; whether there was one.
    fn revive(&self, path: &Path) -> Result<bool, Fault> {
        for ancestor in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            let (Some(name), Some(parent)) = (ancestor.file_name(), ancestor.parent()) else { continue };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let Ok(parent) = beneath::open(self.root.as_fd(), parent, flags, Links::Beneath) else { return Ok(false) };
            if look(parent.as_fd(), name)? == Some(Present::Whiteout) {
                rustix::fs::unlinkat(&parent, name, AtFlags::empty())?;
                rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(IMPLICIT))?;
                let directory = beneath::open(parent.as_fd(), Path::new(name), flags, Links::Refused)?;
                rustix::fs::fchmod(&directory, Mode::from_raw_mode(IMPLICIT))?;
                set_opaque(directory.as_fd())?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Owner and time of what cannot be opened.
    fn dress_by_name(&self, parent: BorrowedFd<'_>, name: &OsStr, entry: &Entry) -> Result<(), Fault> {
        let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(rustix::fs::utimensat(parent, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

/// What is already there by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Present {
    Directory,
    Whiteout,
    Other,
}

fn look(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Present>> {
    let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Present::Directory,
        FileType::CharacterDevice if stat.st_rdev == 0 => Present::Whiteout,
        _ => Present::Other,
    }))
}

/// Owner, then mode, then attributes: changing the owner clears set-user-id bits and capabilities.
fn dress(fd: BorrowedFd<'_>, entry: &Entry) -> io::Result<()> {
    rustix::fs::fchown(fd, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
    rustix::fs::fchmod(fd, Mode::from_raw_mode(entry.mode))?;
    for (name, value) in &entry.xattrs {
        rustix::fs::fsetxattr(fd, name.as_str(), value, XattrFlags::empty())?;
    }
    Ok(())
}

fn set_opaque(directory: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty())?)
}

fn times(entry: &Entry) -> Timestamps {
    let (tv_sec, tv_nsec) = entry.modified;
    let time = Timespec { tv_sec, tv_nsec };
    Timestamps { last_access: time, last_modification: time }
}
