//! Becoming another program. Asked by the last step of a container's start and of `exec`.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// Where programs are looked for when the environment has no `PATH`, as Docker and containerd set it.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program to become, prepared so that nothing but system calls remain to be done.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    candidates: Vec<CString>,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Program {
    /// Prepares `args` (the first names the program) with the environment `env`, in its order.
    ///
    /// A name without a slash is looked for along the environment's `PATH`.
    ///
    /// # Errors
    /// If `args` is empty or anything holds a NUL byte.
    pub(crate) fn new(args: &[String], env: &[(String, String)]) -> io::Result<Program> {
        let name = args.first().filter(|n| !n.is_empty()).ok_or_else(|| io::Error::other("no command specified"))?;
        let candidates = if name.contains('/') {
            vec![c_string(name)?]
        } else {
            let path = env.iter().find(|(k, _)| k == "PATH").map_or(DEFAULT_PATH, |(_, v)| v);
            path.split(':')
                .map(|dir| c_string(&format!("{}/{name}", if dir.is_empty() { "." } else { dir })))
                .collect::<io::Result<_>>()?
        };
        Ok(Program {
            candidates,
            args: args.iter().map(|a| c_string(a)).collect::<io::Result<_>>()?,
            env: env.iter().map(|(k, v)| c_string(&format!("{k}={v}"))).collect::<io::Result<_>>()?,
        })
    }

    /// Becomes the program. Returns only if that failed, with the words container runtimes use.
    pub(crate) fn become_it(&self) -> io::Error {
        default_signals();
        let args = pointers(&self.args);
        let env = pointers(&self.env);
        let mut refused = None;
        for candidate in &self.candidates {
            // SAFETY: the three pointers are NUL-terminated strings and NULL-terminated arrays of such, all
            // alive until the call returns; if it succeeds nothing of this program is left to be violated.
            unsafe { libc::execve(candidate.as_ptr(), args.as_ptr(), env.as_ptr()) };
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) if self.candidates.len() > 1 => {}
                Some(libc::EACCES) if self.candidates.len() > 1 => refused = Some(error),
                _ => return self.explain(&error),
            }
        }
        match refused {
            Some(error) => self.explain(&error),
            None => io::Error::new(
                io::ErrorKind::NotFound,
                format!("exec: {:?}: executable file not found in $PATH", self.name()),
            ),
        }
    }

    fn explain(&self, error: &io::Error) -> io::Error {
        let words = match error.raw_os_error() {
            Some(libc::ENOENT) => "no such file or directory".to_owned(),
            Some(libc::EACCES) => "permission denied".to_owned(),
            Some(libc::ENOEXEC) => "exec format error".to_owned(),
            _ => error.to_string().to_lowercase(),
        };
        io::Error::new(error.kind(), format!("exec: {:?}: {words}", self.name()))
    }

    fn name(&self) -> &OsStr {
        OsStr::from_bytes(self.args.first().map_or(&[], |a| a.as_bytes()))
    }
}

fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::other(format!("{text:?} holds a NUL byte")))
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

/// The kernel's `struct sigaction` (x86-64 and the generic one): handler, flags, restorer, mask.
#[repr(C)]
struct Action {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// What is ignored stays ignored across exec, and Rust programs ignore SIGPIPE: `yes | head` would never end. The
/// engine may have been started with others ignored (`nohup`).
fn default_signals() {
    let default = Action { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    for signal in 1..=64 {
        // SAFETY: installs the default action, no handler, from a live structure of the kernel's layout; the old one
        // is not asked for. SIGKILL and SIGSTOP are refused, as they should be. By system call, because the C
        // library keeps two signals to itself, which can be ignored all the same.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const default,
                std::ptr::null_mut::<Action>(),
                size_of::<u64>(),
            )
        };
    }
}
