//! One container as its parent sees it.
//!
//! ```text
//!  Creating ──► Created ──► Starting ──► Running ──► (gone: Exited)
//!      │           │            └──► (gone: StartFailed, its program could not be executed)
//!      │           └──► (gone: Discarded, or StartFailed if it died waiting)
//!      └──► (gone: StartFailed)
//! ```

use super::output::Log;
use super::streams::Streams;
use crate::clock::now;
use crate::container::cgroup::Cgroups;
use crate::container::confine::Identity;
use crate::container::create::{self, Places, Report};
use crate::sys::fork::{Alone, Child, fork};
use crate::sys::{fds, signal};
use crate::wire::{Inbox, Order};
use anyhow::Context;
use firstlight_pod::Now;
use firstlight_pod::event::Exit;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, WaitStatus, pidfd_open};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

/// Most of a termination message (MSG-2).
const MESSAGE_BYTES: u64 = 4096;

/// The end of the log that stands in for an empty message (MSG-3).
const FALLBACK_LINES: u64 = 80;
const FALLBACK_BYTES: usize = 2048;

/// One container.
#[derive(Debug)]
pub(crate) struct Container {
    /// What it was made from.
    pub(crate) order: Box<Order>,
    /// Where its things are.
    pub(crate) places: Places,
    /// How far it is.
    pub(crate) life: Life,
    /// Its streams.
    pub(crate) streams: Streams,
    /// Its log.
    pub(crate) log: Log,
    /// What was asked before it was created.
    pub(crate) then: Then,
}

/// How far a container is.
#[derive(Debug)]
pub(crate) enum Life {
    /// Its creator is at work.
    Creating(Creator),
    /// It waits to be started.
    Created(Init),
    /// It has been told to start; whether its program could be executed is not known yet.
    Starting {
        /// Its first process.
        init: Init,
        /// Since when, milliseconds since the Unix epoch.
        since: u64,
    },
    /// Its program runs.
    Running {
        /// Its first process.
        init: Init,
        /// Since when.
        since: u64,
    },
}

/// A creator at work.
#[derive(Debug)]
pub(crate) struct Creator {
    /// The process.
    pub(crate) child: Child,
    /// Where it reports.
    pub(crate) report: OwnedFd,
    inbox: Inbox,
    /// Passed on to the container's first process.
    pub(crate) gate: OwnedFd,
}

/// A container's first process.
#[derive(Debug)]
pub(crate) struct Init {
    /// Its process id.
    pub(crate) pid: Pid,
    /// Readable when it has ended.
    pub(crate) pidfd: OwnedFd,
    /// Ends when its program runs; says why if it cannot.
    pub(crate) gate: Option<OwnedFd>,
    /// Who it is.
    pub(crate) identity: Identity,
    /// Whether it must not run: it was discarded.
    pub(crate) discarded: bool,
    refusal: String,
}

/// What was asked of a container while it was being created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Then {
    /// Nothing.
    #[default]
    Wait,
    /// Start it.
    Start,
    /// Discard it.
    Discard,
}

/// What a gate says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Nothing yet.
    NotYet,
    /// The program runs, or the process died trying: which of both, its end tells.
    Through,
    /// The program could not be executed.
    Refused,
}

impl Container {
    /// Forks a creator for `order`. It shares the processes of `target`, if there is one.
    ///
    /// # Errors
    /// If directories, descriptors or the process cannot be had.
    pub(crate) fn create(
        alone: Alone,
        order: Box<Order>,
        places: Places,
        target: Option<Pid>,
        cgroups: &Cgroups,
    ) -> anyhow::Result<Container> {
        make_directories(&places).context("making the container's directories")?;
        let log = Log::open(&order.log_dir, order.instance.attempt).context("opening the log")?;
        let (streams, theirs) = Streams::make(&order).context("making pipes")?;
        let (gate, their_gate) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&gate, OFlags::NONBLOCK)?;
        let (report, their_report) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        fcntl_setfl(&report, OFlags::NONBLOCK)?;
        let child = fork(alone, || {
            let mut keep = vec![their_gate.as_fd(), their_report.as_fd()];
            if let create::Streams::Pipes { stdin, stdout, stderr } = &theirs {
                keep.extend([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]);
            }
            if fds::close_all_but(&keep).is_err() {
                return 1;
            }
            create::create(&order, &places, target, cgroups, theirs, their_gate, their_report.as_fd())
        })
        .context("forking a creator")?;
        let life = Life::Creating(Creator { child, report, inbox: Inbox::default(), gate });
        Ok(Container { order, places, life, streams, log, then: Then::Wait })
    }

    /// Its first process, if it has one.
    pub(crate) fn init(&self) -> Option<&Init> {
        match &self.life {
            Life::Creating(_) => None,
            Life::Created(init) | Life::Starting { init, .. } | Life::Running { init, .. } => Some(init),
        }
    }

    /// As [`Container::init`], to change it.
    pub(crate) fn init_mut(&mut self) -> Option<&mut Init> {
        match &mut self.life {
            Life::Creating(_) => None,
            Life::Created(init) | Life::Starting { init, .. } | Life::Running { init, .. } => Some(init),
        }
    }

    /// How it ended, from what its first process left.
    pub(crate) fn exit(&self, status: WaitStatus, started_at: u64, cgroups: &Cgroups) -> Exit {
        let code = exit_code(status);
        let killed = status.terminating_signal() == Some(libc::SIGKILL);
        Exit {
            code,
            oom: killed && cgroups.oom_kills(&self.places.cgroup) > 0,
            unknown: false,
            id: self.order.id.clone(),
            message: self.message(code),
            started_at: Now(started_at),
            finished_at: Now(now()),
        }
    }

    fn message(&self, code: i32) -> String {
        let message = self.termination_message().unwrap_or_default();
        if message.is_empty() && code != 0 && self.order.termination_from_log {
            return crate::logs::tail(&self.order.log_dir, self.order.instance.attempt, FALLBACK_LINES, FALLBACK_BYTES);
        }
        message
    }

    /// MSG-1, S9: the directory is ours, the file's content is the container's; it is the file we made or nothing.
    fn termination_message(&self) -> io::Result<String> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::File::from(open(self.places.termination_log(), flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Ok(String::new());
        }
        let mut bytes = Vec::new();
        file.take(MESSAGE_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Creator {
    /// Reads what the creator tells: its report, once there, and the terminal that came with it.
    ///
    /// # Errors
    /// If it is not one of ours.
    pub(crate) fn listen(&mut self) -> io::Result<Option<(Report, Option<OwnedFd>)>> {
        match self.inbox.fill(&self.report) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(self.inbox.take()?.map(|report| (report, self.inbox.take_fds().pop())))
    }
}

impl Init {
    /// The process a creator made.
    ///
    /// # Errors
    /// If it is gone already.
    pub(crate) fn new(pid: i32, gate: OwnedFd, identity: Identity) -> io::Result<Init> {
        let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("the creator reported no process"))?;
        // It is this process's child and has not been waited for, so the number is still its own.
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Init { pid, pidfd, gate: Some(gate), identity, discarded: false, refusal: String::new() })
    }

    /// Makes sure that it never runs its program, and says why.
    pub(crate) fn refuse(&mut self, why: String) {
        self.gate = None;
        self.refusal = why;
        self.signal(libc::SIGKILL);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, number: i32) {
        // Gone meanwhile: its end is on its way.
        let _ = signal::send(self.pidfd.as_fd(), number);
    }

    /// Reads the gate.
    pub(crate) fn passed(&mut self) -> Passed {
        let mut chunk = [0; 512];
        while let Some(gate) = &self.gate {
            match rustix::io::read(gate, &mut chunk) {
                Ok(n) if n > 0 => self.refusal.push_str(&String::from_utf8_lossy(&chunk[..n])),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => return Passed::NotYet,
                Ok(_) | Err(_) => self.gate = None,
            }
        }
        if self.refusal.is_empty() { Passed::Through } else { Passed::Refused }
    }

    /// Why the program could not be executed; empty if it could.
    pub(crate) fn refusal(&self) -> &str {
        &self.refusal
    }
}

/// 128 + n for death by signal n (STA-7).
pub(crate) fn exit_code(status: WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 255,
    }
}

fn make_directories(places: &Places) -> io::Result<()> {
    for dir in [&places.dir, &places.run] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let termination_log = fs::File::create(places.termination_log())?;
    // MSG-1: whoever the container runs as may write it.
    termination_log.set_permissions(fs::Permissions::from_mode(0o666))
}
