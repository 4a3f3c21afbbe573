//! The `fl` command: static tools for init containers and the exposer sidecar.
//!
//! One verb, one file; everything they share is a file of its own beside them. This file sets up signals, reads the
//! command line, runs the verb and says how it ended.

#![expect(unreachable_pub, reason = "a binary has no outside: pub says what a file offers to its siblings")]

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

mod address;
mod dial;
mod ending;
mod exit;
mod expect;
mod expose;
mod failure;
mod fetch;
mod hash;
mod http;
mod launch;
mod log;
mod marker;
mod metrics;
mod miss;
mod names;
mod publish;
mod render;
mod retry;
mod run_once;
mod secret;
mod settings;
mod stop;
mod tls;
mod url;
mod value;
mod verb;
mod wait;

use ending::Ending;
use exit::Code;
use failure::Failure;
use log::Log;
use secret::Secrets;
use stop::Stop;
use verb::{Given, Outcome, Shared};

/// Brings a distributed system up in the right order, one init step at a time.
///
/// A link to this binary named after a verb acts as that verb. Every flag can also be given as the environment
/// variable `FIRSTLIGHT_<VERB>_<FLAG>`, every value as @/path/of/a/file.
#[derive(Debug, Parser)]
#[command(name = "fl", version, arg_required_else_help = true, subcommand_required = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Wait(wait::Args),
    Fetch(fetch::Args),
    Expose(expose::Args),
    RunOnce(run_once::Args),
    Render(render::Args),
    #[command(hide = true)]
    DieWithParent(launch::Args),
}

impl Verb {
    fn name(&self) -> &'static str {
        match self {
            Verb::Wait(_) => "wait",
            Verb::Fetch(_) => "fetch",
            Verb::Expose(_) => "expose",
            Verb::RunOnce(_) => "run-once",
            Verb::Render(_) => "render",
            Verb::DieWithParent(_) => "die-with-parent",
        }
    }

    fn shared(&self) -> Option<&Shared> {
        match self {
            Verb::Wait(args) => Some(&args.shared),
            Verb::Fetch(args) => Some(&args.shared),
            Verb::Expose(args) => Some(&args.shared),
            Verb::RunOnce(args) => Some(&args.shared),
            Verb::Render(args) => Some(&args.shared),
            Verb::DieWithParent(_) => None,
        }
    }
}

fn main() -> ExitCode {
    let started = Instant::now();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&Failure::io("starting", error)),
    };
    // Before anything else: process 1 of a container has no default handlers, and a signal that nobody handles is lost.
    let code = runtime.block_on(async {
        match Stop::listen() {
            Ok(stop) => run(started, stop).await,
            Err(error) => complain(&Failure::io("listening to signals", error)),
        }
    });
    // Whatever still runs in the background has nothing left to say.
    runtime.shutdown_background();
    code
}

async fn run(started: Instant, mut stop: Stop) -> ExitCode {
    let (verb, settings) = match read_command_line() {
        Ok(read) => read,
        Err(Unread::Answered(code)) => return code,
        Err(Unread::Refused(failure)) => return complain(&failure),
    };
    let name = verb.name();
    let shared = match (verb.shared(), &verb) {
        (Some(shared), _) => shared.clone(),
        (None, Verb::DieWithParent(args)) => return complain(&launch::die_with_parent(args)),
        (None, _) => return complain(&Failure::usage("a verb without common flags")),
    };
    let step = shared.step.clone().unwrap_or_else(|| name.to_owned());
    let log = Log::new(name, step.clone(), shared.log_format, Secrets::default());
    if shared.explain {
        settings.iter().for_each(|line| log.info().say(line));
    }
    let place = ending::place(shared.termination_log.as_deref());
    let figures = metrics::place(shared.metrics_file.as_deref(), &step);
    let given = Given { shared, log: log.clone(), started };

    let outcome = perform(verb, &given, &mut stop).await;
    if let Ok(done) = &outcome {
        log.info().elapsed(started.elapsed()).say(&done.message);
    }
    if let Some(file) = figures {
        metrics::write(&file, name, &step, &outcome, started.elapsed(), &log);
    }
    let outcome = become_command(outcome, &mut stop).await;
    if let Some(place) = place {
        let attempts = outcome.as_ref().map_or_else(|failure| failure.attempts, |done| done.attempts);
        let outcome = outcome.as_ref().map(|done| done.message.as_str());
        let ending = Ending { verb: name, step: &step, elapsed: started.elapsed(), attempts, outcome };
        ending::write(&place, &ending, &log.secrets);
    }
    match outcome {
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            let line = log.error().reason(failure.reason).elapsed(started.elapsed());
            let line = failure.target.iter().fold(line, |line, target| line.target(target));
            line.say(failure.to_string());
            ExitCode::from(failure.code.number())
        }
    }
}

/// Runs the verb. Those that only look or fetch are dropped by a signal; the others have something to bring to an end.
async fn perform(verb: Verb, given: &Given, stop: &mut Stop) -> Outcome {
    match verb {
        Verb::Wait(args) => stop.race(wait::run(args, given)).await.unwrap_or_else(stopped),
        Verb::Fetch(args) => stop.race(fetch::run(args, given)).await.unwrap_or_else(stopped),
        Verb::Render(args) => stop.race(async { render::run(&args, given) }).await.unwrap_or_else(stopped),
        Verb::Expose(args) => expose::run(args, given, stop).await,
        Verb::RunOnce(args) => run_once::run(args, given, stop).await,
        Verb::DieWithParent(args) => Err(launch::die_with_parent(&args)),
    }
}

fn stopped(signal: u8) -> Outcome {
    Err(Failure::new(Code::Signal(signal), "signal", format!("stopped by signal {signal}")))
}

/// Becomes the command that is to follow, unless a signal came in the meantime: our handlers would swallow it.
async fn become_command(outcome: Outcome, stop: &mut Stop) -> Outcome {
    let done = outcome?;
    if done.then.is_empty() {
        return Ok(done);
    }
    tokio::select! {
        biased;
        signal = stop.asked() => stopped(signal),
        () = std::future::ready(()) => Err(launch::replace(&done.then)),
    }
}

/// Why there is no verb to run.
enum Unread {
    /// Help or a complaint was printed; this is the code to exit with.
    Answered(ExitCode),
    /// A setting is wrong.
    Refused(Failure),
}

/// Reads the command line and the environment: the verb, and what `--explain` says about its settings.
fn read_command_line() -> Result<(Verb, Vec<String>), Unread> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let mut command = settings::with_variables(with_table(Cli::command()));
    command.build();
    if let Some(verb) = linked_name(&command, arguments.first()) {
        arguments.insert(1, verb);
    }
    let arguments = value::from_files(arguments).map_err(Unread::Refused)?;
    let matches = command.try_get_matches_from_mut(arguments).map_err(|error| {
        let _unread = error.print();
        Unread::Answered(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)))
    })?;
    settings::refuse_unknown(&command, std::env::vars_os().map(|(name, _)| name)).map_err(Unread::Refused)?;
    let settings = match matches.subcommand() {
        Some((name, matches)) => {
            command.find_subcommand(name).map_or_else(Vec::new, |verb| settings::explain(verb, matches))
        }
        None => Vec::new(),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| Unread::Refused(Failure::usage(error.to_string())))?;
    Ok((cli.verb, settings))
}

/// Ends every help page with the exit codes.
fn with_table(command: clap::Command) -> clap::Command {
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let command = command.after_help(exit::TABLE);
    verbs.into_iter().fold(command, |command, verb| command.mut_subcommand(verb, |verb| verb.after_help(exit::TABLE)))
}

/// The verb this binary was linked as.
fn linked_name(command: &clap::Command, program: Option<&OsString>) -> Option<OsString> {
    let name = Path::new(program?).file_name()?;
    command.get_subcommands().any(|verb| name == verb.get_name()).then(|| name.to_owned())
}

/// Says what went wrong before there was a log.
fn complain(failure: &Failure) -> ExitCode {
    eprintln!("fl: {failure}");
    ExitCode::from(failure.code.number())
}
