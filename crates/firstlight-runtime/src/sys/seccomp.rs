//! Loading a system call filter. Asked by a process that is about to become a container's program.

use std::io;

/// Size of one instruction (`struct sock_filter`, `linux/filter.h`): code u16, jump if true u8, jump if false u8,
/// operand u32, in this machine's byte order.
const INSTRUCTION: usize = 8;

/// Puts the calling thread behind the BPF program in `bytes`. What is malformed the kernel refuses.
///
/// # Errors
/// What `seccomp(2)` answers, or a program that is too long to be one.
pub(crate) fn load(bytes: &[u8]) -> io::Result<()> {
    let mut program: Vec<libc::sock_filter> = bytes.chunks_exact(INSTRUCTION).map(instruction).collect();
    let len = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    // SAFETY: the pointers are to a live structure and, through it, to `len` live instructions; the kernel copies
    // and checks them before it returns.
    match unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn instruction(bytes: &[u8]) -> libc::sock_filter {
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    libc::sock_filter {
        code: u16::from_ne_bytes([at(0), at(1)]),
        jt: at(2),
        jf: at(3),
        k: u32::from_ne_bytes([at(4), at(5), at(6), at(7)]),
    }
}
