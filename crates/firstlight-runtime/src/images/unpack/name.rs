//! Which place in the tree does an entry's name mean? Asked for every path an archive names. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Longest name of a file, as every Linux file system has it (`NAME_MAX`).
const NAME_MAX: usize = 255;
/// Longest path (`PATH_MAX`).
const PATH_MAX: usize = 4096;
/// Most directories above a file. Real images stay under 40; resolving costs the square of it.
const DEPTH_MAX: usize = 255;

/// The path without `.`, doubled and trailing slashes; empty for the root itself.
pub(in crate::images) fn plain(path: &[u8]) -> Result<PathBuf, String> {
    if path.is_empty() || path.contains(&0) {
        return Err("its name is empty or has a zero byte".to_owned());
    }
    if path.len() > PATH_MAX {
        return Err(format!("its name has more than {PATH_MAX} bytes"));
    }
    if path.starts_with(b"/") {
        return Err("its name is absolute".to_owned());
    }
    let mut plain = PathBuf::new();
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    for (depth, part) in parts.enumerate() {
        if part == b".." {
            return Err("its name climbs out with '..'".to_owned());
        }
        if part.len() > NAME_MAX || depth >= DEPTH_MAX {
            return Err(format!("its name has a part of more than {NAME_MAX} bytes, or more than {DEPTH_MAX} parts"));
        }
        plain.push(OsStr::from_bytes(part));
    }
    Ok(plain)
}
