//! How does an `emptyDir`, and any volume in memory, come to be? Asked by `volumes.rs` and, for the memory, by
//! `files.rs`.

use crate::beneath::{self, Links};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, RenameFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// VOL-2.
const MODE: u32 = 0o777;
/// What `fsGroup` adds to a directory: the group enters, reads, writes, and owns what is made in it (VOL-12).
const GROUP_MODE: u32 = 0o2770;

/// Makes the directory or the tmpfs, unless it is there: its content and whatever a container did to it are kept.
///
/// The size limit of a directory on disk is not enforced here: the pod is evicted when a scan finds too much (DLN-4).
pub(super) fn prepare(
    all: BorrowedFd<'_>,
    name: &str,
    memory: bool,
    size_limit: Option<u64>,
    fs_group: Option<u32>,
) -> io::Result<()> {
    let mode = MODE | fs_group.map_or(0, |_| GROUP_MODE);
    if memory {
        let size = size_limit.map_or(String::new(), |bytes| format!(",size={bytes}"));
        let owner = fs_group.map_or(String::new(), |gid| format!(",gid={gid}"));
        mount(all, name, MountFlags::NODEV, &format!("mode={mode:o}{size}{owner}"))?;
        return Ok(());
    }
    directory(all, name, mode, fs_group)
}

/// Makes a directory, unless it is there.
pub(super) fn directory(all: BorrowedFd<'_>, name: &str, mode: u32, fs_group: Option<u32>) -> io::Result<()> {
    if rustix::fs::statat(all, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Ok(());
    }
    // Under another name until mode and owner are right, so that a volume that exists is a volume that is ready.
    let unready = format!(".{name}");
    beneath::remove_tree(all, OsStr::new(&unready))?;
    rustix::fs::mkdirat(all, unready.as_str(), Mode::RWXU)?;
    let directory = beneath::open(all, Path::new(&unready), OFlags::RDONLY | OFlags::DIRECTORY, Links::Refused)?;
    if let Some(gid) = fs_group {
        rustix::fs::fchown(&directory, None, Some(Gid::from_raw(gid)))?;
    }
    rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode))?;
    Ok(rustix::fs::renameat_with(all, unready.as_str(), all, name, RenameFlags::NOREPLACE)?)
}

/// The directory `name` with a tmpfs on it; a tmpfs that is there already is kept as it is.
pub(super) fn mount(all: BorrowedFd<'_>, name: &str, flags: MountFlags, options: &str) -> io::Result<OwnedFd> {
    let open = |flags| beneath::open(all, Path::new(name), flags | OFlags::DIRECTORY, Links::Refused);
    match rustix::fs::mkdirat(all, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(e.into()),
    }
    let directory = open(OFlags::PATH)?;
    if !is_mount(directory.as_fd())? {
        let options = CString::new(options).map_err(io::Error::from)?;
        let flags = flags | MountFlags::NOSUID;
        rustix::mount::mount("tmpfs", beneath::proc_path(directory.as_fd()), "tmpfs", flags, options.as_c_str())?;
    }
    open(OFlags::RDONLY)
}

/// Takes away every mount at this place. Containers that still use it keep it until they end.
pub(super) fn unmount(place: &Path) -> io::Result<()> {
    loop {
        match rustix::mount::unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            // Not a mount, a link, or nothing.
            Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(e) => return Err(e.into()),
        }
    }
}

/// Whether a mount stands here.
pub(super) fn is_mount(directory: BorrowedFd<'_>) -> io::Result<bool> {
    let statx = rustix::fs::statx(directory, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
    Ok(statx.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
