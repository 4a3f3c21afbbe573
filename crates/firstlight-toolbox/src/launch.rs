//! Starting other programs: becoming one, or running one that cannot outlive us.
//!
//! A child of ours must die when we do, however we die: otherwise a killed step would go on writing behind the back
//! of the one that takes over. The kernel does that for a process that asked for it (`PR_SET_PDEATHSIG`), and the
//! wish survives `exec`. So a child is started as `fl die-with-parent OUR-PID -- COMMAND`, which asks and becomes COMMAND.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Code;
use crate::failure::Failure;
use crate::stop::Stop;

/// Dies when the process that started it does, then becomes a command. For our own use.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The process to die with
    parent: i32,
    /// What to become
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// The hidden verb; returns only if it failed.
pub fn die_with_parent(args: &Args) -> Failure {
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return Failure::io("asking to die with the parent", error);
    }
    // It may have died before we asked.
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    if parent != args.parent {
        return Failure::new(Code::Signal(9), "signal", "the process that started this one is gone");
    }
    replace(&args.command)
}

/// Becomes the command; returns only if it failed.
pub fn replace(command: &[OsString]) -> Failure {
    let Some((program, arguments)) = command.split_first() else { return Failure::usage("no command to become") };
    cannot_start(program, &Command::new(program).args(arguments).exec())
}

/// Starts a command that dies with us, in a process group of its own.
pub fn start(command: &[OsString], stdout: Stdio) -> Result<Child, Failure> {
    let us = std::env::current_exe().map_err(|error| Failure::io("finding this program", error))?;
    Command::new(&us)
        .arg0("fl")
        .arg("die-with-parent")
        .arg(rustix::process::getpid().as_raw_nonzero().get().to_string())
        .arg("--")
        .args(command)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(stdout)
        .spawn()
        .map_err(|error| cannot_start(us.as_os_str(), &error))
}

fn cannot_start(program: &std::ffi::OsStr, error: &std::io::Error) -> Failure {
    let program = program.to_string_lossy();
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(Code::NotFound, "not-found", format!("{program}: no such command"))
        }
        _ => Failure::new(Code::NotExecutable, "not-executable", format!("{program}: cannot be executed: {error}")),
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// By us, because its time was over.
    OutOfTime,
}

impl Ended {
    /// Whether it did what it was to do.
    pub fn well(self) -> bool {
        self == Ended::Code(0)
    }
}

/// How long a child may take to end after it was asked to because its time is over.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a command to its end: passes on the signals we get, and reaps whatever is orphaned to us as process 1.
pub async fn run(
    command: &[OsString],
    stdout: Stdio,
    stop: &mut Stop,
    deadline: Option<Instant>,
) -> Result<Ended, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::io("listening to signals", error));
    let mut ended = listen(SignalKind::child())?;
    let mut user1 = listen(SignalKind::user_defined1())?;
    let mut user2 = listen(SignalKind::user_defined2())?;
    let child = start(command, stdout)?;
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return Err(Failure::io("starting a command", "it has no process id"));
    };
    let pass_on = |number: i32| {
        if let Some(signal) = Signal::from_named_raw(number) {
            // Not reaped yet, so the id is still this child's; gone is as good as told.
            let _gone = rustix::process::kill_process(pid, signal);
        }
    };
    let mut deadline = deadline.map(tokio::time::Instant::from_std);
    let mut out_of_time = false;
    loop {
        if let Some(ended) = reap(pid) {
            return Ok(if out_of_time { Ended::OutOfTime } else { ended });
        }
        let time_is_over = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = ended.recv() => {}
            number = stop.asked() => pass_on(i32::from(number)),
            _ = user1.recv() => pass_on(SignalKind::user_defined1().as_raw_value()),
            _ = user2.recv() => pass_on(SignalKind::user_defined2().as_raw_value()),
            () = time_is_over => {
                let signal = if out_of_time { SignalKind::from_raw(9) } else { SignalKind::terminate() };
                pass_on(signal.as_raw_value());
                out_of_time = true;
                deadline = Some(tokio::time::Instant::now() + GRACE);
            }
        }
    }
}

/// Takes in everything that has ended; how `child` ended if it is among it.
///
/// What a command that failed leaves running would go on writing while the next run cleans up, so the rest of its
/// process group ends with it. That is done before the child is taken in: until then its id cannot be anybody else's.
fn reap(child: Pid) -> Option<Ended> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let looked = rustix::process::waitid(WaitId::Pid(child), look).ok().flatten();
    if looked.is_some_and(|status| status.exit_status() != Some(0)) {
        let _gone = rustix::process::kill_process_group(child, Signal::KILL);
    }
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == child {
            return Some(how(status));
        }
    }
    None
}

fn how(status: WaitStatus) -> Ended {
    let small = |number: i32| u8::try_from(number).ok();
    match status.exit_status().and_then(small) {
        Some(code) => Ended::Code(code),
        None => Ended::Signal(status.terminating_signal().and_then(small).unwrap_or(9)),
    }
}
