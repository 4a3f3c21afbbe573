//! What does a file of variables in a volume say? Asked by the engine when it creates a container whose variables come
//! from one (ENV-11).
//!
//! Containers write these files and may make anything of them: a link out of the volume, a pipe, gigabytes. So the file
//! is opened beneath the volume, must be a plain one, and only so much of it is read.

use super::open;
use crate::beneath::{self, Links};
use firstlight_pod::env_file;
use firstlight_pod::spec::FileRef;
use rustix::fs::{FileType, OFlags, fstat};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

/// The most that is read of one file, in bytes: what all values of a ConfigMap may take.
const SIZE_MAX: u64 = 1 << 20;

/// The value of the variable; `None` if it is optional and not there. Blocking, but never for long.
///
/// # Errors
/// The message of `CreateContainerConfigError`, in the kubelet's words where it has them
/// (`pkg/kubelet/kubelet_pods.go`), with the place inside the volume rather than on the host.
pub fn variable(pod_dir: &Path, file: &FileRef) -> Result<Option<String>, String> {
    let FileRef { volume, path, key, optional } = file;
    let text = match read(pod_dir, volume, path) {
        Err(error) if *optional && error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("couldn't parse env file {path:?} of volume {volume:?}: {error}")),
        Ok(text) => text,
    };
    match env_file::value(&text, key) {
        Err(malformed) => Err(format!("couldn't parse env file {path:?} of volume {volume:?}: {malformed}")),
        Ok(None) if !optional => Err(format!("environment variable key {key:?} not found in file {path:?}")),
        Ok(value) => Ok(value),
    }
}

fn read(pod_dir: &Path, volume: &str, path: &str) -> io::Result<String> {
    let path = Path::new(path);
    if !beneath::is_plain(path) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "its path must be relative and without '..'"));
    }
    let root = open(pod_dir, volume)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = beneath::open(root.as_fd(), path, flags, Links::Beneath)?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::from(file).take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(io::Error::other(format!("it is longer than {SIZE_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}
