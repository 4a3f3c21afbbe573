//! `fl wait`: opens when everything it was told to wait for is there, and says all along what it waits for and why.
//!
//! ```text
//!  every target: try ─► miss ─► later again ─┐      all (or k of n) there, for long enough
//!       ▲                                    │                      │
//!       └────────────────────────────────────┘                      ▼
//!       ▲                                              all looked at once more together
//!       └──────────── one has gone ──────────────────────────────────┘ else: become the command
//! ```

mod gate;
mod probe;
pub mod target;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::exit::Code;
use crate::expect::{HeaderRule, JsonRule, Statuses};
use crate::failure::Failure;
use crate::http::Net;
use crate::miss::Miss;
use crate::names::Names;
use crate::retry::{Bucket, Next, luck};
use crate::tls;
use crate::value;
use crate::verb::{Done, Given, Outcome, Shared};
use gate::{Gate, Turn};
use probe::{Expectations, probe};
use target::Target;

/// Waits until every target is there, then becomes COMMAND
///
/// Targets: http(s)://HOST/PATH, tcp://HOST:PORT, unix:/PATH, dns:NAME[?min=N], file:/PATH[?min-size=N] or /PATH,
/// fl://HOST:PORT/ITEM (an item of `fl expose`, seen without polling).
#[derive(Debug, clap::Args)]
#[command(override_usage = "fl wait [OPTIONS] TARGET... [-- COMMAND...]")]
pub struct Args {
    /// What to wait for
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
    /// Any so many of the targets are enough, as k=2
    #[arg(long, value_name = "k=N", value_parser = any)]
    any: Option<usize>,
    /// The overall deadline; 0 is none
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = value::duration)]
    timeout: Duration,
    /// A target counts only when it was there for so long without a miss
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = value::duration)]
    stable: Duration,
    /// HTTP: the statuses that count
    #[arg(long, value_name = "SET", default_value = "200-399")]
    expect_status: Statuses,
    /// HTTP: a header that must be there, as NAME or NAME: VALUE
    #[arg(long, value_name = "RULE")]
    expect_header: Vec<HeaderRule>,
    /// HTTP and files: a condition on the JSON document, as `.path==value`, `.list[*].id==x` or `.list|length>=3`
    #[arg(long, value_name = "RULE")]
    expect_json: Vec<JsonRule>,
    /// Another authority to trust, in PEM
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
    /// Talk to link-local and metadata addresses too
    #[arg(long)]
    allow_link_local: bool,
    /// What to become when the wait is over
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    pub shared: Shared,
}

fn any(text: &str) -> Result<usize, String> {
    let count = text.strip_prefix("k=").unwrap_or(text);
    count.parse().ok().filter(|count| *count > 0).ok_or_else(|| format!("\"{text}\" is no count; write k=2"))
}

/// The verb.
pub async fn run(args: Args, given: &Given) -> Outcome {
    let Args { targets, any, timeout, stable, command, shared: _, .. } = &args;
    let targets = targets.iter().map(|text| Target::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let wanted = any.unwrap_or(targets.len());
    if wanted > targets.len() {
        return Err(Failure::usage(format!("--any k={wanted}, but there are {} targets", targets.len())));
    }
    let expectations = expectations(&args, &targets)?;
    if given.shared.explain {
        return Ok(Done::new(explanation(&targets, wanted, &args)));
    }
    let net = net(&args, &targets, given)?;
    let once = given.shared.once || given.shared.dry_run;
    let deadline = if once { None } else { given.deadline(*timeout) };
    let gate = Gate::new(&targets, wanted, *stable, Instant::now(), deadline, once);
    let attempts =
        Waiting { gate, targets, net, expectations, given, tries: JoinSet::new(), process: Bucket::PER_PROCESS }
            .until_open()
            .await?;
    let message = if wanted == 1 { "it is there".to_owned() } else { format!("all {wanted} are there") };
    let then = if given.shared.dry_run { Vec::new() } else { command.clone() };
    Ok(Done { message, attempts, then })
}

fn expectations(args: &Args, targets: &[Target]) -> Result<Arc<Expectations>, Failure> {
    let http = targets.iter().any(|target| matches!(target, Target::Http { .. }));
    let file = targets.iter().any(|target| matches!(target, Target::File { .. }));
    if !http && !args.expect_header.is_empty() {
        return Err(Failure::usage("--expect-header is about HTTP, and no target is"));
    }
    if !http && args.expect_status != Statuses::any_success() {
        return Err(Failure::usage("--expect-status is about HTTP, and no target is"));
    }
    if !http && !file && !args.expect_json.is_empty() {
        return Err(Failure::usage("--expect-json is about HTTP answers and files, and no target is one"));
    }
    Ok(Arc::new(Expectations {
        statuses: args.expect_status.clone(),
        headers: args.expect_header.clone(),
        json: args.expect_json.clone(),
    }))
}

fn net(args: &Args, targets: &[Target], given: &Given) -> Result<Arc<Net>, Failure> {
    for target in targets {
        if let Target::Http { url } = target {
            url.secrets().iter().for_each(|secret| given.log.secrets.learn(secret));
        }
    }
    let encrypted = targets.iter().any(|target| matches!(target, Target::Http { url } if url.tls));
    let tls = encrypted.then(|| tls::settings(args.ca_file.as_deref())).transpose().map_err(Failure::usage)?;
    let names = Names::from_system().map_err(|error| Failure::io("setting up the resolver", error))?;
    Ok(Arc::new(Net { names, tls, link_local: args.allow_link_local }))
}

fn explanation(targets: &[Target], wanted: usize, args: &Args) -> String {
    let what: Vec<String> = targets.iter().map(Target::to_string).collect();
    let rules: Vec<String> = args.expect_json.iter().map(JsonRule::to_string).collect();
    let rules =
        if rules.is_empty() { String::new() } else { format!(", answering JSON in which {}", rules.join(" and ")) };
    let end = if args.timeout.is_zero() { "for ever".to_owned() } else { format!("at most {:?}", args.timeout) };
    let then = if args.command.is_empty() { "end" } else { "become the command" };
    format!("would wait {end} for {wanted} of {}: {}{rules}; then {then}", targets.len(), what.join(", "))
}

/// A wait in progress.
struct Waiting<'a> {
    gate: Gate,
    targets: Vec<Target>,
    net: Arc<Net>,
    expectations: Arc<Expectations>,
    given: &'a Given,
    tries: JoinSet<(usize, Result<(), Miss>)>,
    process: Bucket,
}

/// How often it is looked whether something is to be said.
const TICK: Duration = Duration::from_millis(500);

impl Waiting<'_> {
    /// Returns the number of tries it took.
    async fn until_open(mut self) -> Result<u32, Failure> {
        let now = Instant::now();
        for index in 0..self.targets.len() {
            let next = self.gate.begin(index, now);
            self.try_at(index, next);
        }
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                tried = self.tries.join_next() => match tried {
                    Some(Ok((index, result))) => self.turn(index, result)?,
                    Some(Err(error)) => return Err(Failure::io("a probe broke", error)),
                    None => return Err(self.gate.failure(Instant::now(), Code::Deadline)),
                },
                _ = tick.tick() => {}
            }
            self.gate.lines(Instant::now(), &self.given.log);
            if self.gate.open() {
                return Ok(self.gate.attempts());
            }
        }
    }

    fn turn(&mut self, index: usize, result: Result<(), Miss>) -> Result<(), Failure> {
        let now = Instant::now();
        match self.gate.fold(index, result, now, luck()) {
            Turn::Again(next) => self.try_at(index, next),
            Turn::Rest => {}
            Turn::AllOnceMore => {
                for (index, next) in self.gate.once_more(now) {
                    self.try_at(index, next);
                }
            }
            Turn::Failed(code) => return Err(self.gate.failure(now, code)),
        }
        Ok(())
    }

    fn try_at(&mut self, index: usize, next: Next) {
        let Next::Try { at, limit } = next else { return };
        let at = at + self.process.wait(at);
        self.process.take(at);
        let (target, net, expectations) =
            (self.targets[index].clone(), Arc::clone(&self.net), Arc::clone(&self.expectations));
        self.tries.spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            let result = match tokio::time::timeout(limit, probe(&target, &net, &expectations, limit)).await {
                Ok(result) => result,
                Err(_) => Err(Miss::timed_out(limit)),
            };
            (index, result)
        });
    }
}
