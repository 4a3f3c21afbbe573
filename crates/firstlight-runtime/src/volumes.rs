//! Where are a pod's volumes, and what is in them? Asked by the engine before it makes a sandbox and whenever a
//! source changes, and by the shim when it mounts them.
//!
//! Every volume of a pod is at [`path`]: `POD_DIR/volumes/NAME`. Volumes in memory are tmpfs mounts at that place in
//! the engine's own mount namespace, made before the shim is spawned, so that the shim's copy of the mount table has
//! them and they outlive a sandbox as Kubernetes asks (VOL-2). See `docs/decisions/volumes-in-memory.md`.

use crate::Allow;
use firstlight_pod::action::VolumeSetup;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A volume that could not be set up: what [`firstlight_pod::Event::VolumesFailed`] carries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("volume {volume:?}: {message}")]
pub struct VolumeError {
    /// Which volume.
    pub volume: String,
    /// Why, in Kubernetes' words where it has them.
    pub message: String,
}

/// Where the volume of this name is, for mounting. For a `hostPath` this is a link-free directory entry that holds
/// nothing: ask [`open`] instead, which serves all kinds.
#[must_use]
pub fn path(pod_dir: &Path, name: &str) -> PathBuf {
    pod_dir.join("volumes").join(name)
}

/// Makes every volume, or brings file volumes up to date as one atomic change each (VOL-6). Safe to repeat: content
/// that is there already is neither rewritten nor touched. Blocking; call it from a blocking thread.
///
/// Call it before the pod's shim is spawned, at least once: tmpfs mounts must be there when the shim copies the mount
/// table.
///
/// # Errors
/// The first volume that could not be set up. Those before it are in place, those after it untouched.
pub fn prepare(
    pod_dir: &Path,
    volumes: &[VolumeSetup],
    fs_group: Option<u32>,
    allow: Allow,
) -> Result<(), VolumeError> {
    let _ = (pod_dir, fs_group, allow);
    match volumes.first() {
        None => Ok(()),
        Some(volume) => Err(VolumeError { volume: volume.name.clone(), message: "volumes come next".to_owned() }),
    }
}

/// Opens the volume's root (`O_PATH`), whatever its kind, without following a link beneath the pod's directory: the
/// source of its mount is `/proc/self/fd/N`.
///
/// # Errors
/// If the volume is not there.
pub fn open(pod_dir: &Path, name: &str) -> io::Result<OwnedFd> {
    let _ = (pod_dir, name);
    Err(io::ErrorKind::Unsupported.into())
}

/// Opens `sub_path` beneath an open volume, component by component, never leaving it (VOL-9, S8); directories that
/// are missing are made, with the mode and owner of the volume's root. The result may be a file: then a file is
/// mounted. Mount from the descriptor, never from a path.
///
/// # Errors
/// If a component is a link that leads out, or something in the way is not a directory.
pub fn open_sub_path(volume: BorrowedFd<'_>, sub_path: &str) -> io::Result<OwnedFd> {
    let _ = (volume, sub_path);
    Err(io::ErrorKind::Unsupported.into())
}

/// Removes all volumes of the pod: unmounts what is in memory, then removes the tree beneath the pod's directory
/// without following a link. What a `hostPath` points at stays. No error if nothing is there.
///
/// # Errors
/// If something cannot be removed.
pub fn remove(pod_dir: &Path) -> io::Result<()> {
    let _ = pod_dir;
    Err(io::ErrorKind::Unsupported.into())
}
