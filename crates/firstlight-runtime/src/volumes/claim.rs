//! Where is the directory of a PersistentVolumeClaim, and whose is it? Asked by `volumes.rs` when a pod uses it, and by
//! the engine when its claim is gone (VOL-11).
//!
//! ```text
//! data/claims/                0700
//!   pvc-UID/                  0777, made at the first use; it stays until its claim is gone
//! pods/UID/volumes/
//!   data -> data/claims/pvc-UID
//!   data.owned                the pod's group has been given it, once for this pod (VOL-12)
//! ```

use super::{empty, group, host};
use crate::beneath;
use rustix::fs::{AtFlags, Mode, OFlags};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// As directories made for claims by the provisioners of local paths are.
const MODE: u32 = 0o777;

/// Whom the volume is given to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) group: Option<u32>,
    /// Whether a root that is as wanted says that all is.
    pub(super) trust_root: bool,
}

/// Makes the directory, unless it is there, and leaves a link to it where the volume belongs.
pub(super) fn prepare(
    all: BorrowedFd<'_>,
    name: &str,
    claims: &Path,
    directory: &str,
    owner: Owner,
) -> Result<(), String> {
    if !is_directory_name(directory) {
        return Err(format!("its claim is bound to {directory:?}, which is no name of a directory"));
    }
    let failed = |e: io::Error| format!("cannot make the claim's directory: {e}");
    let root = open_claims(claims).map_err(failed)?;
    empty::directory(root.as_fd(), directory, MODE, None).map_err(failed)?;
    host::link(all, name, &claims.join(directory)).map_err(failed)?;
    let Some(gid) = owner.group else { return Ok(()) };
    let given = format!("{name}.owned");
    if rustix::fs::statat(all, given.as_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Ok(());
    }
    let failed = |e: io::Error| format!("cannot give it to group {gid}: {e}");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let volume = beneath::open(root.as_fd(), Path::new(directory), flags, beneath::Links::Refused).map_err(failed)?;
    group::give(volume.as_fd(), gid, owner.trust_root).map_err(failed)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(all, given, flags, Mode::RUSR).map_err(|e| failed(e.into()))?;
    Ok(())
}

/// The directories of claims below this data directory.
///
/// # Errors
/// If they cannot be listed.
pub fn claimed(data: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(root(data)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
    }
}

/// Removes a claim's directory and all that is in it; no error if it is not there. Blocking.
///
/// # Errors
/// If something cannot be removed.
pub fn unclaim(data: &Path, directory: &str) -> io::Result<()> {
    if !is_directory_name(directory) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    beneath::remove_tree(open_claims(&root(data))?.as_fd(), OsStr::new(directory))
}

/// Where the directories of claims are.
pub(crate) fn root(data: &Path) -> std::path::PathBuf {
    data.join("claims")
}

fn open_claims(claims: &Path) -> io::Result<OwnedFd> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(claims)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(claims, flags, Mode::empty())?)
}

fn is_directory_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !name.is_empty() && name.len() <= 255 && name.chars().all(fine)
}
