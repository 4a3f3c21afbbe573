//! Where are a pod's volumes, and what is in them? Asked by the engine before it makes a sandbox and whenever a
//! source changes, and by the shim when it mounts them.
//!
//! Every volume of a pod is at [`path`], whatever its kind:
//!
//! ```text
//! POD_DIR/volumes/        0700, written by the engine alone
//!   scratch/              emptyDir
//!   cache/                emptyDir in memory: a tmpfs is mounted here
//!   config/               configMap, secret, downwardAPI, projected (layout: files.rs; in memory if asked)
//!   config.files          says that config/ is one of those: mounted read-only
//!   logs -> /var/log      hostPath
//!   db -> data/claims/..  persistentVolumeClaim (claim.rs)
//!   model/                image: its files are mounted here, over what stands in .model/
//! ```
//!
//! Volumes in memory, and those of images, are mounts of the engine's own mount namespace, made before the shim is spawned, so that the
//! shim's copy of the mount table has them and they outlive a sandbox as Kubernetes asks (VOL-2). Why not mounts of
//! the shim: `docs/decisions/volumes-in-memory.md`.

mod claim;
mod empty;
mod files;
mod group;
mod host;
mod image;
mod usage;
mod variables;

use crate::Allow;
use crate::beneath::{self, Links};
use crate::images::Image;
use firstlight_pod::action::{VolumeContent, VolumeSetup};
use firstlight_pod::event::ImageFailure;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub use claim::{claimed, unclaim};
pub use usage::usage;
pub use variables::variable;

/// A volume that could not be set up: what [`firstlight_pod::Event::VolumesFailed`] carries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("volume {volume:?}: {message}")]
pub struct VolumeError {
    /// Which volume.
    pub volume: String,
    /// Why, in Kubernetes' words where it has them.
    pub message: String,
    /// Which kind of failure, if it is that the volume's image cannot be had.
    pub image: Option<ImageFailure>,
}

/// What a pod's volumes are made on and of.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The pod's directory.
    pub pod_dir: &'a Path,
    /// The engine's data directory, where the directories of claims are.
    pub data: &'a Path,
    /// The group that owns all volumes but `hostPath` (VOL-12).
    pub fs_group: Option<u32>,
    /// Powers that manifests may ask for.
    pub allow: Allow,
    /// The images of volumes that are not mounted yet, by volume.
    pub images: &'a BTreeMap<String, Image>,
}

/// Where the volume of this name is: the source of its bind mount when no `subPath` is asked. A `hostPath` is a link
/// of ours to the host's path, which mounting follows.
#[must_use]
pub fn path(pod_dir: &Path, name: &str) -> PathBuf {
    pod_dir.join("volumes").join(name)
}

/// Makes every volume, or brings file volumes up to date as one atomic change each (VOL-6). Safe to repeat: content
/// that is there already is neither rewritten nor touched. Blocking; call it from a blocking thread.
///
/// Call it before the pod's shim is spawned, at least once: mounts must be there when the shim copies the mount table.
///
/// # Errors
/// The first volume that could not be set up. Those before it are in place, those after it untouched.
pub fn prepare(ground: &Ground<'_>, volumes: &[VolumeSetup]) -> Result<(), VolumeError> {
    let Ground { pod_dir, data, fs_group, allow, images } = *ground;
    for VolumeSetup { name, content } in volumes {
        let failed = |message: String| VolumeError { volume: name.clone(), message, image: None };
        if !is_name(name) {
            return Err(failed("its name is not a DNS label".to_owned()));
        }
        let all = volumes_dir(pod_dir).map_err(|e| failed(format!("cannot make the volumes directory: {e}")))?;
        let outcome = match content {
            VolumeContent::Empty { memory, size_limit } => {
                empty::prepare(all.as_fd(), name, *memory, *size_limit, fs_group).map_err(|e| e.to_string())
            }
            VolumeContent::Files { files, memory } => files::prepare(all.as_fd(), name, files, *memory, fs_group),
            VolumeContent::Host { path, check } => host::prepare(all.as_fd(), name, path, *check, allow),
            VolumeContent::Claim { directory, trust_root } => {
                let owner = claim::Owner { group: fs_group, trust_root: *trust_root };
                claim::prepare(all.as_fd(), name, &claim::root(data), directory, owner)
            }
            VolumeContent::Image { .. } => {
                image::prepare(all.as_fd(), &pod_dir.join("volumes"), name, images.get(name))
            }
        };
        outcome.map_err(failed)?;
    }
    Ok(())
}

/// Whether something is mounted at the volume's place: then an image need not be had again.
#[must_use]
pub fn is_placed(pod_dir: &Path, name: &str) -> bool {
    is_name(name) && is_mounted(&pod_dir.join("volumes"), name)
}

fn is_mounted(volumes: &Path, name: &str) -> bool {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = rustix::fs::open(volumes.join(name), flags, Mode::empty());
    place.is_ok_and(|place| empty::is_mount(place.as_fd()).unwrap_or(false))
}

/// Whether this volume is to be mounted read-only whatever the mount asks: the kubelet does so with
/// [`VolumeContent::Files`], whose files the next change would undo.
#[must_use]
pub fn is_read_only(pod_dir: &Path, name: &str) -> bool {
    is_name(name) && pod_dir.join("volumes").join(files::mark(name)).exists()
}

/// Opens the volume's root (`O_PATH`), whatever its kind: what [`open_sub_path`] starts from.
///
/// # Errors
/// If the volume is not there.
pub fn open(pod_dir: &Path, name: &str) -> io::Result<OwnedFd> {
    if !is_name(name) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is not the name of a volume")));
    }
    // The one link that may be followed is a hostPath's or a claim's, which the engine wrote into its own directory.
    Ok(rustix::fs::open(path(pod_dir, name), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens `sub_path` beneath an open volume, never leaving it (VOL-9, S8); directories that are missing are made, with
/// the mode of the volume's root. The result may be a file: then a file is mounted.
///
/// Mount from the descriptor (`/proc/self/fd/N`), never from a path: between the two a container may swap a component
/// for a link.
///
/// # Errors
/// In the kubelet's words where it has them: if the path is not plain, if a component is a link that leads out of the
/// volume, or if something in the way is not a directory.
pub fn open_sub_path(volume: BorrowedFd<'_>, sub_path: &str) -> io::Result<OwnedFd> {
    let path = Path::new(sub_path);
    let failed = |e: io::Error, message: String| io::Error::new(e.kind(), format!("subPath {sub_path:?}: {message}"));
    if !beneath::is_plain(path) {
        let e = io::Error::from(io::ErrorKind::InvalidInput);
        return Err(failed(e, "must be a relative path without '..'".to_owned()));
    }
    let explain = |e: io::Error| match e.raw_os_error() {
        Some(libc::EXDEV) => failed(e, "not contained in the volume: a link leads out of it".to_owned()),
        Some(libc::ELOOP) => failed(e, "not contained in the volume: a link leads in circles or nowhere".to_owned()),
        _ => {
            let message = e.to_string();
            failed(e, message)
        }
    };
    match beneath::open(volume, path, OFlags::PATH, Links::Beneath) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other.map_err(explain),
    }
    let mode = Mode::from_raw_mode(rustix::fs::fstat(volume)?.st_mode & 0o7777);
    // An O_PATH descriptor cannot be the place where directories are made; its reopened twin can.
    let root = beneath::open(volume, Path::new(""), OFlags::RDONLY | OFlags::DIRECTORY, Links::Refused)?;
    beneath::make_dirs(root.as_fd(), path, |made| Ok(rustix::fs::fchmod(made, mode)?)).map_err(explain)
}

/// Removes all volumes of the pod: unmounts what is in memory, then removes the tree beneath the pod's directory
/// without following a link. What a `hostPath` points at stays. No error if nothing is there.
///
/// # Errors
/// If something cannot be removed: a mount that an outsider made in it, for one.
pub fn remove(pod_dir: &Path) -> io::Result<()> {
    let pod: OwnedFd = match fs::File::open(pod_dir) {
        Ok(pod) => pod.into(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let volumes = pod_dir.join("volumes");
    if let Ok(entries) = fs::read_dir(&volumes) {
        for entry in entries {
            empty::unmount(&entry?.path())?;
        }
    }
    beneath::remove_tree(pod.as_fd(), OsStr::new("volumes"))
}

/// A DNS label (RFC 1123), which is what Kubernetes lets a volume be called: never a path.
fn is_name(name: &str) -> bool {
    let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= 63 && name.chars().all(label) && !name.starts_with('-') && !name.ends_with('-')
}

fn volumes_dir(pod_dir: &Path) -> io::Result<OwnedFd> {
    let volumes = pod_dir.join("volumes");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&volumes)?;
    Ok(rustix::fs::open(
        &volumes,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}
