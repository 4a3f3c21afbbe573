//! The `firstlight` command: parse, call, print, exit.
//!
//! Every verb but `engine` and `image` is a client of the Kubernetes API, so it works on any cluster.
#![forbid(unsafe_code)]

mod apply;
mod args;
mod connect;
mod down;
mod engine;
mod exit;
mod image;
mod manifest;
mod manual;
mod progress;
mod readiness;
mod recipe;
mod render;
mod say;
mod toolbox;
mod trouble;
mod up;

use args::{Cli, Command};
use clap::Parser;
use exit::{Exit, Outcome};
use std::process::ExitCode;

fn main() -> ExitCode {
    // A pod's own process is this binary again; it must be single-threaded, so this comes before everything.
    if let Some(code) = firstlight::reexec() {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    match run(cli.command) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            eprintln!("firstlight: {}", failure.message);
            failure.exit.into()
        }
    }
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Up(args) => client(up::run(args)),
        Command::Down(args) => client(down::run(args)),
        Command::Engine(args) => engine::run(*args),
        Command::Render(args) => render::run(args),
        Command::Image(verb) => image::run(verb),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::pages(&directory),
    }
}

/// Clients need no second thread: they wait for the network.
fn client(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            _ = tokio::signal::ctrl_c() => Err(exit::Failure::new(Exit::Interrupted, "interrupted")),
        }
    })
}
