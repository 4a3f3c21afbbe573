//! How do the files of an image come to be a volume? Asked by `volumes.rs` (VOL-16).
//!
//! As the root of a container: its layers put together. What is mounted can be neither written nor executed, as
//! Kubernetes promises, so a part of it that is not there cannot be made either.

use crate::beneath;
use crate::container::root::Overlay;
use crate::images::Image;
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MoveMountFlags, move_mount};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Mounts the image at `volumes/name`, unless it is there already.
pub(super) fn prepare(all: BorrowedFd<'_>, volumes: &Path, name: &str, image: Option<&Image>) -> Result<(), String> {
    if super::is_mounted(volumes, name) {
        return Ok(());
    }
    let Some(Image { layers, masks, .. }) = image else { return Err("its image is not here".to_owned()) };
    mount(all, volumes, name, layers, masks).map_err(|e| format!("cannot mount its image: {e}"))
}

fn mount(
    all: BorrowedFd<'_>,
    volumes: &Path,
    name: &str,
    layers: &[std::path::PathBuf],
    masks: &[std::path::PathBuf],
) -> io::Result<()> {
    // The overlay wants a writable layer; it stays empty. What an earlier mount left is no use to the kernel.
    let own = format!(".{name}");
    beneath::remove_tree(all, OsStr::new(&own))?;
    rustix::fs::mkdirat(all, own.as_str(), Mode::RWXU)?;
    match rustix::fs::mkdirat(all, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(e.into()),
    }
    let dir = volumes.join(own);
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    let tree = Overlay { layers, masks, dir: &dir }.mount(attributes)?;
    Ok(move_mount(tree.as_fd(), "", CWD, volumes.join(name), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}
