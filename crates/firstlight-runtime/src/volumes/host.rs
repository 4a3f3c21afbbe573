//! May a pod have this path of the host, and is it what it should be? Asked by `volumes.rs` for `hostPath` (VOL-10,
//! S14). Messages are the kubelet's (`pkg/volume/hostpath/host_path.go`).

use crate::Allow;
use firstlight_pod::spec::HostPathType;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::{Component, Path};

/// Checks the path and leaves a link to it where the volume belongs.
pub(super) fn prepare(
    all: BorrowedFd<'_>,
    name: &str,
    path: &str,
    check: HostPathType,
    allow: Allow,
) -> Result<(), String> {
    if !allow.host_path {
        return Err(format!(
            "hostPath {path} is refused: this engine gives pods no path of the host; start it with --allow-host-path, or use an emptyDir"
        ));
    }
    let path = Path::new(path);
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("hostPath {} must be an absolute path without '..'", path.display()));
    }
    check_type(path, check)?;
    link(all, name, path).map_err(|e| e.to_string())
}

fn check_type(path: &Path, check: HostPathType) -> Result<(), String> {
    let found = match fs::metadata(path) {
        Ok(found) => Some(found),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(format!("hostPath type check failed: {}: {e}", path.display())),
    };
    let is = |test: fn(&Metadata) -> bool, what: &str| match &found {
        Some(metadata) if test(metadata) => Ok(()),
        _ => Err(format!("hostPath type check failed: {} is not {what}", path.display())),
    };
    let directory = |metadata: &Metadata| metadata.is_dir();
    let file = |metadata: &Metadata| metadata.is_file();
    match check {
        // With no type the kubelet checks nothing and containerd makes a directory of what is missing.
        HostPathType::Unset | HostPathType::DirectoryOrCreate if found.is_none() => make_directory(path),
        HostPathType::Unset => Ok(()),
        HostPathType::DirectoryOrCreate | HostPathType::Directory => is(directory, "a directory"),
        HostPathType::FileOrCreate if found.is_none() => make_file(path),
        HostPathType::FileOrCreate | HostPathType::File => is(file, "a file"),
        HostPathType::Socket => is(|m| m.file_type().is_socket(), "a socket file"),
        HostPathType::CharDevice => is(|m| m.file_type().is_char_device(), "a character device"),
        HostPathType::BlockDevice => is(|m| m.file_type().is_block_device(), "a block device"),
    }
}

fn make_directory(path: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(|e| format!("hostPath {}: cannot make the directory: {e}", path.display()))
}

fn make_file(path: &Path) -> Result<(), String> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    made.map(drop).map_err(|e| format!("hostPath {}: cannot make the file: {e}", path.display()))
}

/// A link of ours to a path of the host, whatever link was there before.
pub(super) fn link(all: BorrowedFd<'_>, name: &str, path: &Path) -> io::Result<()> {
    if let Ok(target) = rustix::fs::readlinkat(all, name, Vec::new()) {
        use std::os::unix::ffi::OsStrExt;
        if target.as_bytes() == path.as_os_str().as_bytes() {
            return Ok(());
        }
        rustix::fs::unlinkat(all, name, AtFlags::empty())?;
    }
    match rustix::fs::symlinkat(path, all, name) {
        Err(Errno::EXIST) => Err(io::Error::other("something other than a link is in its place")),
        other => Ok(other?),
    }
}
