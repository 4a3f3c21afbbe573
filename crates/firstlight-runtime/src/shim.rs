//! The process that owns one sandbox generation: its namespaces, its containers as their parent, their logs, and
//! the journal of what happened. It lives on when the engine is killed or upgraded.
//!
//! ```text
//!  engine ──socketpair──► shim ──fork──► creator ──clone──► container's first process (the shim's child)
//!    │                     │ ▲                                        │ exit, stdout, stderr
//!    └──shim.sock (later)──┘ └────────────────────────────────────────┘
//! ```
//!
//! One thread, one `poll`: the container library clones processes in ways that deadlock a threaded process, and so
//! does every fork. State lives in [`Shim`]; each source of events has a file below.

mod container;
mod dial;
mod door;
mod hear;
mod holder;
mod journaled;
mod lives;
pub(crate) mod output;
mod run;
mod runs;
mod sandbox;
mod streams;
mod turn;

pub(crate) use turn::Shim;

use crate::wire::{Inbox, Sandbox, Told, VERSION};
use anyhow::{Context, bail};
use rustix::fd::OwnedFd;
use std::io;
use std::process::ExitCode;

/// The hidden verb under which our own binary becomes a shim.
pub(crate) const VERB: &str = "__pod";

/// Runs a shim: standard input is a socket whose first frame is the [`Sandbox`] to make.
pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The engine reads this file when a shim dies without a word.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let engine = take_stdin()?;
    let mut inbox = Inbox::default();
    let config: Sandbox = first_frame(&engine, &mut inbox)?;
    if config.version != VERSION {
        bail!("spawned by an engine of protocol {}, this binary speaks {VERSION}", config.version);
    }
    match sandbox::make(config) {
        Ok(made) => Shim::new(made, engine, inbox)?.live(),
        Err(error) => {
            let mut outbox = crate::wire::Outbox::default();
            outbox.push(&Told::Failed { message: format!("{error:#}") }, Vec::new());
            outbox.flush(&engine)?;
            Err(error)
        }
    }
}

/// Takes the socket from descriptor 0, where children would inherit it, and leaves `/dev/null` there.
fn take_stdin() -> io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(socket)
}

fn first_frame(engine: &OwnedFd, inbox: &mut Inbox) -> anyhow::Result<Sandbox> {
    loop {
        if let Some(config) = inbox.take()? {
            return Ok(config);
        }
        if !inbox.fill(engine).context("reading what to make")? {
            bail!("the engine went away before it said what to make");
        }
    }
}
