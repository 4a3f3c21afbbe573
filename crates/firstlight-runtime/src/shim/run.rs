//! A further process in a running container: `exec`, exec probes, exec hooks.
//!
//! ```text
//!  shim ──fork──► joiner: joins the container's cgroup and namespaces ──clone (sibling)──► the process: confined
//!    ▲               │ its pid                                                              │ as the container is,
//!    └───────────────┴──────────────── the terminal, the gate, its end ◄────────────────────┘ then the program
//! ```
//!
//! The process is the shim's child, so its end is seen like a container's.

use super::container::{Container, Init};
use crate::container::cgroup::Cgroups;
use crate::container::confine::{Identity, confine};
use crate::container::create;
use crate::sys::exec::Program;
use crate::sys::fork::{Alone, Child, fork, fork_sibling};
use crate::sys::{fds, signal};
use crate::wire::{Inbox, Order, Outbox};
use anyhow::{Context, bail};
use firstlight_pod::event::{Hook, Instance, ProbeKind};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, fchown, fcntl_setfl, fstat, fstatfs, major, minor, open, openat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Gid, Pid, PidfdFlags, Signal, Uid, ioctl_tiocsctty, kill_process_group, pidfd_open, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::time::Instant;

/// Most output kept of a probe or hook: the kubelet's limit for exec probes (10 KiB).
const OUTPUT: usize = 10 << 10;

/// Filesystem type of terminals (`linux/magic.h`), and the device numbers of their multiplexer.
const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;
const PTMX: (u32, u32) = (5, 2);

/// A process run in a container.
#[derive(Debug)]
pub(crate) struct Run {
    /// In which.
    pub(crate) instance: Instance,
    /// For whom.
    pub(crate) purpose: Purpose,
    /// The process that joins the container.
    pub(crate) joiner: Option<Child>,
    /// Where the joiner and the process report, until both have.
    pub(crate) report: Option<OwnedFd>,
    inbox: Inbox,
    /// The process.
    pub(crate) process: Option<Child>,
    /// Its terminal's other end.
    pub(crate) terminal: Option<OwnedFd>,
    /// Ends when the program runs.
    pub(crate) gate: Option<OwnedFd>,
    refusal: String,
    /// Its output, for a probe or hook.
    pub(crate) output: Option<OwnedFd>,
    collected: Vec<u8>,
    /// When it is killed.
    pub(crate) deadline: Option<Instant>,
    /// Whether that happened.
    pub(crate) timed_out: bool,
    /// Whether it must not live on.
    killed: bool,
    /// Whether the program was found to run.
    begun: bool,
}

/// For whom a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A session's connection.
    Session(u64),
    /// A hook.
    Hook(Hook),
    /// A probe.
    Probe(ProbeKind),
}

/// What to run, and with which streams.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The command, taken literally (HOK-5).
    pub(crate) command: Vec<String>,
    /// Streams.
    pub(crate) streams: Streams,
    /// When to kill it.
    pub(crate) deadline: Option<Instant>,
}

/// The streams of a process.
#[derive(Debug)]
pub(crate) enum Streams {
    /// Both outputs are collected; nothing to read.
    Collected,
    /// These; what is missing is `/dev/null`.
    Given {
        /// Standard input.
        stdin: Option<OwnedFd>,
        /// Standard output.
        stdout: Option<OwnedFd>,
        /// Standard error.
        stderr: Option<OwnedFd>,
    },
    /// A terminal of the container's own.
    Terminal,
}

/// What the joiner and the process tell.
#[derive(Debug, Serialize, Deserialize)]
enum Report {
    /// The process, as the shim sees it.
    Process(i32),
    /// Its terminal comes with this.
    Terminal,
}

impl Run {
    /// Begins to run a command in a running container.
    ///
    /// # Errors
    /// If descriptors or the process cannot be had, or the command cannot be one.
    pub(crate) fn begin(
        alone: Alone,
        container: &Container,
        init: &Init,
        cgroups: &Cgroups,
        purpose: Purpose,
        wanted: Wanted,
    ) -> anyhow::Result<Run> {
        let Wanted { command, streams, deadline } = wanted;
        let order = &container.order;
        let mut env = create::environment(order, &init.identity.user);
        if matches!(streams, Streams::Terminal) && !env.iter().any(|(name, _)| name == "TERM") {
            env.push(("TERM".to_owned(), "xterm".to_owned()));
        }
        let program = Program::new(&command, &env)?;
        let (output, streams) = Descriptors::make(streams, &init.identity)?;
        let (gate, their_gate) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&gate, OFlags::NONBLOCK)?;
        let (report, their_report) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        fcntl_setfl(&report, OFlags::NONBLOCK)?;
        let joiner = Joiner {
            alone,
            order,
            identity: &init.identity,
            target: &init.pidfd,
            cgroups,
            cgroup: &container.places.cgroup,
            program: &program,
            streams: &streams,
            gate: &their_gate,
            report: &their_report,
        };
        let child = fork(alone, || joiner.live()).context("forking")?;
        Ok(Run {
            instance: order.instance.clone(),
            purpose,
            joiner: Some(child),
            report: Some(report),
            inbox: Inbox::default(),
            process: None,
            terminal: None,
            gate: Some(gate),
            refusal: String::new(),
            output,
            collected: Vec::new(),
            deadline,
            timed_out: false,
            killed: false,
            begun: false,
        })
    }

    /// Reads what was reported.
    ///
    /// # Errors
    /// What the kernel answers, or a report that is none.
    pub(crate) fn listen(&mut self) -> io::Result<()> {
        match self.report.as_ref().map(|report| self.inbox.fill(report)) {
            Some(Ok(false)) => self.report = None,
            Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Some(Ok(true) | Err(_)) | None => {}
        }
        while let Some(report) = self.inbox.take()? {
            match report {
                Report::Process(pid) => {
                    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("no process was reported"))?;
                    self.process = Some(Child { pid, pidfd: pidfd_open(pid, PidfdFlags::empty())? });
                    if self.killed {
                        self.kill();
                    }
                }
                Report::Terminal => self.terminal = self.inbox.take_fds().pop(),
            }
        }
        Ok(())
    }

    /// Reads the gate; true once, when it becomes known that the program runs.
    pub(crate) fn begins(&mut self) -> bool {
        if self.read_gate() {
            self.gate = None;
        }
        let begins = self.gate.is_none() && !self.begun && self.process.is_some() && self.refusal.is_empty();
        self.begun |= begins;
        begins
    }

    /// The process has ended: what it had to say is at the gate, though its joiner may still hold that open.
    pub(crate) fn close_gate(&mut self) {
        self.read_gate();
        self.gate = None;
    }

    /// Reads what is at the gate; true if nothing more can come.
    fn read_gate(&mut self) -> bool {
        let mut chunk = [0; 512];
        let Some(gate) = &self.gate else { return true };
        loop {
            match rustix::io::read(gate, &mut chunk) {
                Ok(n) if n > 0 => self.refusal.push_str(&String::from_utf8_lossy(&chunk[..n])),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => return false,
                Ok(_) | Err(_) => return true,
            }
        }
    }

    /// Why the program could not be executed; empty if it could.
    pub(crate) fn refusal(&self) -> &str {
        &self.refusal
    }

    /// Reads output once; false if there is nothing more now.
    pub(crate) fn collect(&mut self) -> bool {
        let Some(output) = &self.output else { return false };
        let mut chunk = [0; 4096];
        match rustix::io::read(output, &mut chunk) {
            Ok(n) if n > 0 => {
                let room = OUTPUT.saturating_sub(self.collected.len());
                self.collected.extend_from_slice(&chunk[..n.min(room)]);
                true
            }
            Err(Errno::INTR) => true,
            Err(Errno::WOULDBLOCK) => false,
            Ok(_) | Err(_) => {
                self.output = None;
                false
            }
        }
    }

    /// What was collected, as text.
    pub(crate) fn collected(&self) -> String {
        String::from_utf8_lossy(&self.collected).into_owned()
    }

    /// Ends the process and those in its session that did not leave its group; as soon as it is known, if it is not.
    pub(crate) fn kill(&mut self) {
        self.killed = true;
        let Some(Child { pid, pidfd }) = &self.process else { return };
        // It is not waited for yet, so neither number is anybody else's.
        let _ = kill_process_group(*pid, Signal::KILL);
        let _ = signal::send(pidfd.as_fd(), libc::SIGKILL);
    }
}

/// The child's ends of its streams.
#[derive(Debug)]
enum Descriptors {
    Pipes { stdin: OwnedFd, stdout: OwnedFd, stderr: OwnedFd },
    Terminal,
}

impl Descriptors {
    fn make(streams: Streams, identity: &Identity) -> anyhow::Result<(Option<OwnedFd>, Descriptors)> {
        let null = || open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        let (output, stdin, stdout, stderr) = match streams {
            Streams::Terminal => return Ok((None, Descriptors::Terminal)),
            Streams::Collected => {
                let (output, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
                fcntl_setfl(&output, OFlags::NONBLOCK)?;
                (Some(output), null()?, theirs.try_clone()?, theirs)
            }
            Streams::Given { stdin, stdout, stderr } => {
                let or_null = |fd: Option<OwnedFd>| fd.map_or_else(null, Ok);
                (None, or_null(stdin)?, or_null(stdout)?, or_null(stderr)?)
            }
        };
        for fd in [&stdin, &stdout, &stderr] {
            if FileType::from_raw_mode(fstat(fd)?.st_mode) == FileType::Fifo {
                // So that /dev/stdout can be opened by name (moby#31243).
                let (uid, gid) = (Uid::from_raw(identity.user.uid), Gid::from_raw(identity.user.gid));
                fchown(fd, Some(uid), Some(gid))?;
            }
        }
        Ok((output, Descriptors::Pipes { stdin, stdout, stderr }))
    }
}

/// What the joining process works with.
struct Joiner<'a> {
    alone: Alone,
    order: &'a Order,
    identity: &'a Identity,
    target: &'a OwnedFd,
    cgroups: &'a Cgroups,
    cgroup: &'a str,
    program: &'a Program,
    streams: &'a Descriptors,
    gate: &'a OwnedFd,
    report: &'a OwnedFd,
}

impl Joiner<'_> {
    fn live(&self) -> i32 {
        match self.join() {
            Ok(()) => 0,
            Err(error) => self.refuse(&error),
        }
    }

    /// Says why through the gate: whoever waits for the program reads it there.
    fn refuse(&self, error: &anyhow::Error) -> i32 {
        if let Ok(gate) = self.gate.try_clone() {
            let _ = File::from(gate).write_all(format!("{error:#}").as_bytes());
        }
        126
    }

    fn join(&self) -> anyhow::Result<()> {
        let mut keep = vec![self.target.as_fd(), self.gate.as_fd(), self.report.as_fd()];
        if let Descriptors::Pipes { stdin, stdout, stderr } = self.streams {
            keep.extend([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]);
        }
        fds::close_all_but(&keep)?;
        let _ = std::fs::write("/proc/self/oom_score_adj", self.order.limits.oom_score_adj.to_string());
        self.cgroups.join(self.cgroup).context("joining the container's cgroup")?;
        // The other namespaces are the pod's, where this process is already.
        let own = ThreadNameSpaceType::MOUNT | ThreadNameSpaceType::PROCESS_ID | ThreadNameSpaceType::CONTROL_GROUP;
        move_into_thread_name_spaces(self.target.as_fd(), own).context("joining the container's namespaces")?;
        let pid = fork_sibling(self.alone, || {
            let error = match self.become_program() {
                Ok(error) => anyhow::Error::from(error),
                Err(error) => error,
            };
            self.refuse(&error)
        })?;
        self.tell(&Report::Process(pid), Vec::new())
    }

    fn tell(&self, report: &Report, fds: Vec<OwnedFd>) -> anyhow::Result<()> {
        let mut outbox = Outbox::default();
        outbox.push(report, fds);
        Ok(outbox.flush(self.report)?)
    }

    fn become_program(&self) -> anyhow::Result<io::Error> {
        setsid()?;
        match self.streams {
            Descriptors::Pipes { stdin, stdout, stderr } => {
                dup2_stdin(stdin)?;
                dup2_stdout(stdout)?;
                dup2_stderr(stderr)?;
            }
            Descriptors::Terminal => {
                let (terminal, end) = open_terminal(self.identity).context("making a terminal")?;
                ioctl_tiocsctty(&end)?;
                dup2_stdin(&end)?;
                dup2_stdout(&end)?;
                dup2_stderr(&end)?;
                self.tell(&Report::Terminal, vec![terminal])?;
            }
        }
        confine(self.order, self.identity)?;
        Ok(self.program.become_it())
    }
}

/// A new terminal of the container's own instance, verified to be one: its `/dev` is the container's to change
/// (CVE-2025-52565).
fn open_terminal(identity: &Identity) -> anyhow::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let terminal = openat(CWD, "/dev/pts/ptmx", flags, Mode::empty())?;
    let stat = fstat(&terminal)?;
    let is_ptmx = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && (major(stat.st_rdev), minor(stat.st_rdev)) == PTMX
        && fstatfs(&terminal)?.f_type == DEVPTS_SUPER_MAGIC;
    if !is_ptmx {
        bail!("/dev/pts/ptmx in the container is not the terminal multiplexer");
    }
    fcntl_setfl(&terminal, OFlags::empty())?;
    unlockpt(&terminal)?;
    let end = ioctl_tiocgptpeer(&terminal, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    fchown(&end, Some(Uid::from_raw(identity.user.uid)), None)?;
    Ok((terminal, end))
}
