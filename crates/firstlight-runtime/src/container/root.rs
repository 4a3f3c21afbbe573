//! A container's root filesystem: layers put together, and checked before the container library sees it.
//!
//! Decision 6. An image may hold a link where the runtime expects a directory, and a runtime that follows it works
//! on the host (CVE-2023-28642, CVE-2025-54867, CVE-2026-41579). So the merged root is examined by descriptor
//! before every create, while it is still a mount that no path leads to: `/dev`, `/proc`, `/sys` and `/etc` are
//! made real directories in the top layer, the files of `/etc` that are mounted over are made real files, and every
//! mount destination is turned into a path without links.

mod destination;
mod overlay;

pub(crate) use overlay::Overlay;

use destination::Real;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::CWD;
use rustix::mount::{MountAttrFlags, MoveMountFlags, move_mount};
use std::io;
use std::path::{Path, PathBuf};

/// Directories the runtime mounts over or into, whatever the image says they are.
const DIRECTORIES: [&str; 4] = ["dev", "proc", "sys", "etc"];

/// Files the runtime mounts over.
const FILES: [&str; 3] = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];

/// What appears at a mount destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A directory.
    Directory,
    /// Anything else.
    File,
}

/// A merged root filesystem that nothing can reach by name yet.
#[derive(Debug)]
pub(crate) struct DetachedRoot {
    mount: OwnedFd,
}

impl DetachedRoot {
    /// Puts the layers together and makes the fixed places real.
    ///
    /// # Errors
    /// If the kernel refuses the overlay, or a place cannot be made real: the container must then not be created
    /// (E9).
    pub(crate) fn make(overlay: &Overlay<'_>) -> io::Result<DetachedRoot> {
        let root = DetachedRoot { mount: overlay.mount(MountAttrFlags::empty())? };
        for path in DIRECTORIES {
            destination::make_real(root.mount.as_fd(), Path::new(path), Kind::Directory)
                .map_err(|e| named(path, &e))?;
        }
        for path in FILES {
            destination::make_real(root.mount.as_fd(), Path::new(path), Kind::File).map_err(|e| named(path, &e))?;
        }
        Ok(root)
    }

    /// The path without links that `path` means inside this root, made there as `kind` if it is missing.
    ///
    /// # Errors
    /// The root itself, anything in `/proc`, endless links, or something of another kind in its place.
    pub(crate) fn destination(&self, path: &str, kind: Kind) -> io::Result<PathBuf> {
        let Real { path: real, missing } = destination::resolve(self.mount.as_fd(), Path::new(path))?;
        let mut components = real.components();
        match components.next().map(|c| c.as_os_str().to_owned()) {
            None => return Err(io::Error::other(format!("{path}: a volume cannot take the place of the root"))),
            Some(first) if first == "proc" => {
                return Err(io::Error::other(format!("{path}: a volume cannot be inside /proc")));
            }
            // Its own filesystem is mounted here before the volume is; the image's directory is not seen.
            Some(first) if first == "dev" && components.next().is_some() => return Ok(Path::new("/").join(real)),
            Some(_) => {}
        }
        if missing {
            destination::make_real(self.mount.as_fd(), &real, kind).map_err(|e| named(path, &e))?;
        }
        Ok(Path::new("/").join(real))
    }

    /// The root's descriptor, to look names up in it.
    pub(crate) fn fd(&self) -> rustix::fd::BorrowedFd<'_> {
        self.mount.as_fd()
    }

    /// Makes it visible at `at`, in this process's mount namespace.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(crate) fn attach(self, at: &Path) -> io::Result<()> {
        Ok(move_mount(&self.mount, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
    }
}

fn named(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("/{} of the image: {error}", path.trim_start_matches('/')))
}
