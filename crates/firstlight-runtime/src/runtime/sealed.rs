//! The program that becomes a shim, out of containers' reach (S2).
//!
//! A container's first process runs our own program until it becomes the container's, and `/proc/PID/exe` is a way
//! to write to the file it came from (CVE-2019-5736). So shims run from a copy in memory that is sealed: nobody can
//! write to it, not even root.

use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create, sendfile};
use std::fs::File;
use std::io;
use std::path::Path;

/// A sealed copy of `program`, or of the running one.
///
/// # Errors
/// If it cannot be read, or there is no memory for it.
pub(crate) fn copy(program: Option<&Path>) -> io::Result<OwnedFd> {
    let file = File::open(program.unwrap_or(Path::new("/proc/self/exe")))?;
    let mut left = file.metadata()?.len();
    let memory = memfd_create("firstlight", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    while left > 0 {
        let sent = sendfile(&memory, &file, None, usize::try_from(left).unwrap_or(usize::MAX))?;
        if sent == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= sent as u64;
    }
    fcntl_add_seals(&memory, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(memory)
}
