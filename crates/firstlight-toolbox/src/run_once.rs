//! `fl run-once`: runs a command that makes state exactly once, however often it is killed on the way.
//!
//! ```text
//!  lock ─► marker says? ── done, every byte as committed ─────────────────────────────► exit 0
//!                │ nothing, or a claim of a dead one
//!                ▼
//!  claim (durable) ─► remove what the dead one left ─► command ─► verify ─► sync, measure ─► commit (durable)
//! ```
//!
//! What to do is decided by `firstlight_bootstrap::marker`; here it is done.

mod inputs;
mod lock;
mod outputs;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use firstlight_bootstrap::Digest;
use firstlight_bootstrap::marker::{
    self as rules, Claim, Declared, Found, Marker, NotMade, Owner, Policies, Policy, Seen, Step, Why,
};

use crate::exit::Code;
use crate::failure::Failure;
use crate::launch::{self, Ended};
use crate::marker::{self, Noted, Process};
use crate::publish::{self, Staged};
use crate::stop::Stop;
use crate::value;
use crate::verb::{Done, Given, Outcome, Shared};
use lock::Lock;

/// Runs COMMAND once: a run that was killed is cleaned up and made again, a run that is done is never repeated
///
/// The marker DIR/markers/NAME.json records who claimed the work and, when it is done, the digest of every output.
#[derive(Debug, clap::Args)]
#[command(override_usage = "fl run-once NAME [OPTIONS] -- COMMAND...")]
pub struct Args {
    /// The name of the work
    #[arg(value_name = "NAME")]
    name: String,
    /// Where markers are; on the same volume as the outputs
    #[arg(long, value_name = "PATH", env = "FIRSTLIGHT_DIR")]
    dir: PathBuf,
    /// What the result depends on: files, env:NAME, or text:VALUE
    #[arg(long, value_name = "INPUT", value_delimiter = ',')]
    inputs: Vec<String>,
    /// Files or directories the command makes; recorded by digest
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    outputs: Vec<PathBuf>,
    /// Files the command makes and the running system goes on writing; must exist, may change
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    mutable_outputs: Vec<PathBuf>,
    /// The command's standard output becomes this file, whole or not at all
    #[arg(long, value_name = "PATH")]
    stdout_to: Option<PathBuf>,
    /// Run after COMMAND, before the commit: must end well. Words, or a JSON array; no shell
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    verify: Option<Command>,
    /// Run before the outputs of a killed or failed run are removed
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    cleanup: Option<Command>,
    /// Run before COMMAND: if it ends well, the effect is there already and COMMAND is not run
    #[arg(long, value_name = "COMMAND", value_parser = command, conflicts_with_all = ["outputs", "mutable_outputs", "stdout_to"])]
    already: Option<Command>,
    /// Which system this state belongs to; state of another is never touched
    #[arg(long, value_name = "ID")]
    cluster_id: Option<String>,
    /// Outputs that exist although nobody claimed them
    #[arg(long, value_enum, value_name = "WHAT", default_value = "refuse")]
    unclaimed_outputs: Choice,
    /// Work that was done from other inputs
    #[arg(long, value_enum, value_name = "WHAT", default_value = "refuse")]
    changed_inputs: Choice,
    /// Work that was done, but an output is gone or differs
    #[arg(long, value_enum, value_name = "WHAT", default_value = "refuse")]
    changed_outputs: Choice,
    /// Take over from an owner on another host, which cannot be seen from here
    #[arg(long)]
    take_over: bool,
    /// How long to wait for another owner
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = value::duration)]
    lock_timeout: Duration,
    /// How long COMMAND may take; 0 is as long as it needs
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = value::duration)]
    timeout: Duration,
    /// What to run
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    pub shared: Shared,
}

/// A hook: a command given as one value.
#[derive(Debug, Clone)]
struct Command(Vec<OsString>);

fn command(text: &str) -> Result<Command, String> {
    value::command(text).map(|words| Command(words.into_iter().map(OsString::from).collect()))
}

/// What to do where the safe answer is to ask a person.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Choice {
    /// Stop with code 6.
    Refuse,
    /// Remove the outputs and make them again.
    Remake,
}

impl From<Choice> for Policy {
    fn from(choice: Choice) -> Policy {
        match choice {
            Choice::Refuse => Policy::Refuse,
            Choice::Remake => Policy::Remake,
        }
    }
}

/// The work, settled.
struct Work<'a> {
    args: &'a Args,
    given: &'a Given,
    marker: PathBuf,
    inputs: Digest,
    declared: Vec<Declared>,
    stdout_to: Option<PathBuf>,
    here: Process,
}

/// The verb.
pub async fn run(args: Args, given: &Given, stop: &mut Stop) -> Outcome {
    let work = Work::settle(&args, given)?;
    if given.shared.explain {
        return Ok(Done::new(words::explanation(&work)));
    }
    // A step that is done needs no lock: what is committed does not change.
    let (step, _) = work.look(&marker::read(&work.marker)).await?;
    if given.shared.dry_run {
        return Ok(Done::new(words::intention(&step)));
    }
    if step == Step::Keep {
        return Ok(Done::new(format!("{} is done already", args.name)));
    }
    let claimed = stop.race(work.claim()).await;
    match claimed {
        Err(signal) => Err(Failure::new(Code::Signal(signal), "signal", format!("stopped by signal {signal}"))),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(Claimed::Done)) => Ok(Done::new(format!("{} was done meanwhile", args.name))),
        Ok(Ok(Claimed::Ours { lock, claim, generation, clean })) => {
            let outcome = work.make(&claim, generation, clean, stop).await;
            drop(lock);
            outcome
        }
    }
}

/// Whose the work is, once the lock is ours.
enum Claimed {
    /// Nobody's: somebody committed it while we waited.
    Done,
    /// Ours, and durably so.
    Ours { lock: Lock, claim: Claim, generation: u64, clean: Option<Vec<String>> },
}

impl<'a> Work<'a> {
    fn settle(args: &'a Args, given: &'a Given) -> Result<Work<'a>, Failure> {
        if !marker::legal_name(&args.name) {
            return Err(Failure::usage(format!("\"{}\" is no name: letters, digits, - _ and .", args.name)));
        }
        let stdout_to = args.stdout_to.as_deref().map(outputs::absolute).transpose()?.map(PathBuf::from);
        let mut declared = Vec::new();
        let fixed = args.outputs.iter().chain(&args.stdout_to).map(|path| (path, true));
        for (path, fixed) in fixed.chain(args.mutable_outputs.iter().map(|path| (path, false))) {
            let path = outputs::absolute(path)?;
            if declared.iter().any(|known: &Declared| known.path == path) {
                return Err(Failure::usage(format!("{path} is declared twice")));
            }
            declared.push(Declared { path, fixed });
        }
        let here = Process::this().map_err(|error| Failure::io("finding out who we are", error))?;
        let (marker, inputs) = (marker::path(&args.dir, &args.name), inputs::digest(&args.inputs)?);
        Ok(Work { args, given, marker, inputs, declared, stdout_to, here })
    }

    /// What is to be done next.
    async fn look(&self, noted: &Noted) -> Result<(Step, BTreeMap<String, Found>), Failure> {
        let declared: Vec<String> = self.declared.iter().map(|output| output.path.clone()).collect();
        let mut paths = declared.clone();
        match &noted.marker {
            Marker::Done(record) => paths.extend(record.outputs.keys().cloned()),
            Marker::Begun(_) | Marker::Failed(_) | Marker::Absent | Marker::Unreadable(_) => {}
        }
        let disk = outputs::measure(&paths).await?;
        let owner = match noted.owner.as_ref().map(|owner| owner.state(&self.here)) {
            Some(Owner::Unknown) if self.args.take_over => Owner::Dead,
            Some(owner) => owner,
            None => Owner::Dead,
        };
        let policies = Policies {
            unclaimed_outputs: self.args.unclaimed_outputs.into(),
            changed_inputs: self.args.changed_inputs.into(),
            changed_outputs: self.args.changed_outputs.into(),
        };
        let seen = Seen {
            marker: &noted.marker,
            inputs: self.inputs,
            cluster: self.args.cluster_id.as_deref(),
            owner,
            disk: &disk,
            declared: &declared,
            policies,
        };
        Ok((rules::step(&seen), disk))
    }

    /// Waits until nobody else is at it, then claims what is to be made.
    async fn claim(&self) -> Result<Claimed, Failure> {
        let until = self.given.started + if self.given.shared.once { Duration::ZERO } else { self.args.lock_timeout };
        let mut waited = false;
        loop {
            let Some(lock) = Lock::take(&self.marker, until, || self.say_waiting(&mut waited)).await? else {
                return Err(self.busy(&Why::OwnerAlive));
            };
            let noted = marker::read(&self.marker);
            let (attempt, clean) = match self.look(&noted).await?.0 {
                Step::Keep => return Ok(Claimed::Done),
                Step::Refuse { why } => return Err(words::refusal(&why).target(self.marker.display().to_string())),
                Step::Wait { why } => {
                    drop(lock);
                    if Instant::now() >= until {
                        return Err(self.busy(&why));
                    }
                    self.say_waiting(&mut waited);
                    tokio::time::sleep(lock::POLL).await;
                    continue;
                }
                Step::Make { attempt } => (attempt, None),
                Step::CleanThenMake { attempt, remove, why } => {
                    self.given.log.warn().target(&self.args.name).say(format!("{}: making it again", words::why(&why)));
                    (attempt, Some(remove))
                }
            };
            let own = self.declared.iter().map(|output| output.path.clone());
            let mut outputs: Vec<String> = clean.iter().flatten().cloned().chain(own).collect();
            outputs.sort();
            outputs.dedup();
            let cluster = self.args.cluster_id.clone();
            let claim = Claim { maker: self.here.word(), attempt, inputs: self.inputs, cluster, outputs };
            self.write(Marker::Begun(claim.clone()), noted.generation)?;
            return Ok(Claimed::Ours { lock, claim, generation: noted.generation, clean });
        }
    }

    /// Says once for whom we wait. Whether that one is dead and only left something running: what is committed may be
    /// served by what its maker started, what is not committed is only in the way.
    fn say_waiting(&self, said: &mut bool) -> bool {
        let noted = marker::read(&self.marker);
        let dead = noted.owner.as_ref().is_some_and(|owner| owner.gone(&self.here));
        let unfinished = matches!(noted.marker, Marker::Begun(_) | Marker::Failed(_));
        if !std::mem::replace(said, true) {
            let line = self.given.log.info().target(&self.args.name).reason("lock");
            line.say(format!("waiting for {}", words::owner(&noted)));
        }
        dead && unfinished
    }

    fn busy(&self, why: &Why) -> Failure {
        let owner = words::owner(&marker::read(&self.marker));
        let failure = Failure::new(Code::Busy, "lock", format!("{}: {owner} has not ended", words::why(why)));
        let failure = failure.target(self.args.name.as_str());
        match why {
            Why::OwnerUnknown => failure.hint("if that host is gone for good, run again with --take-over"),
            _ => failure,
        }
    }

    fn write(&self, marker: Marker, generation: u64) -> Result<(), Failure> {
        let noted = Noted { marker, generation, owner: Some(self.here.clone()) };
        marker::write(&self.marker, &noted).map_err(|error| Failure::io(self.marker.display(), error))
    }

    /// Makes what was claimed. Whatever goes wrong is noted, so that the next run begins by cleaning up.
    async fn make(&self, claim: &Claim, generation: u64, clean: Option<Vec<String>>, stop: &mut Stop) -> Outcome {
        let made = self.attempt(claim, generation, clean, stop).await;
        if made.as_ref().is_err_and(|failure| failure.reason != FENCED) {
            self.write(Marker::Failed(claim.clone()), generation)?;
        }
        made
    }

    async fn attempt(&self, claim: &Claim, generation: u64, clean: Option<Vec<String>>, stop: &mut Stop) -> Outcome {
        if let Some(remove) = clean {
            self.clean_up(&remove, stop).await?;
        }
        let there = match &self.args.already {
            Some(Command(hook)) => launch::run(hook, Stdio::inherit(), stop, None).await?.well(),
            None => false,
        };
        if there {
            self.given.log.info().target(&self.args.name).say("the effect is there already");
        } else {
            self.run_command(stop).await?;
        }
        if let Some(Command(hook)) = &self.args.verify {
            let ended = launch::run(hook, Stdio::inherit(), stop, None).await?;
            if !ended.well() {
                let why = format!("--verify does not agree: it {}", words::ended(ended));
                return Err(Failure::new(Code::Refused, "verify", why).target(self.args.name.as_str()));
            }
        }
        self.commit(claim, generation).await
    }

    async fn clean_up(&self, remove: &[String], stop: &mut Stop) -> Result<(), Failure> {
        if let Some(Command(hook)) = &self.args.cleanup {
            let ended = launch::run(hook, Stdio::inherit(), stop, None).await?;
            if !ended.well() {
                let why = format!("--cleanup could not clean up: it {}", words::ended(ended));
                return Err(Failure::new(Code::Person, "cleanup", why).target(self.args.name.as_str()));
            }
        }
        remove.iter().try_for_each(|path| outputs::remove(Path::new(path)))
    }

    async fn run_command(&self, stop: &mut Stop) -> Result<(), Failure> {
        let local = |error| Failure::io("preparing --stdout-to", error);
        let staged = match &self.stdout_to {
            Some(path) => {
                path.parent().map_or(Ok(()), publish::create_directories).map_err(local)?;
                Some(Staged::new(path, publish::DEFAULT_MODE).map_err(local)?)
            }
            None => None,
        };
        let stdout = match &staged {
            Some(staged) => Stdio::from(staged.file.try_clone().map_err(local)?),
            None => Stdio::inherit(),
        };
        let timeout = self.args.timeout;
        let deadline = (!timeout.is_zero()).then(|| Instant::now() + timeout);
        let ended = launch::run(&self.args.command, stdout, stop, deadline).await?;
        let failed = |code, reason| {
            let program =
                self.args.command.first().map_or_else(String::new, |program| program.to_string_lossy().into_owned());
            Failure::new(code, reason, format!("{program} {}", words::ended(ended))).target(self.args.name.as_str())
        };
        match ended {
            Ended::Code(0) => staged.map_or(Ok(()), Staged::publish).map_err(local),
            Ended::Code(code) => Err(failed(Code::Child(code), "command")),
            Ended::Signal(signal) => Err(failed(Code::Signal(signal), "signal")),
            Ended::OutOfTime => Err(failed(Code::Deadline, "deadline")),
        }
    }

    async fn commit(&self, claim: &Claim, generation: u64) -> Outcome {
        let paths: Vec<String> = self.declared.iter().map(|output| output.path.clone()).collect();
        outputs::sync(&paths)?;
        let disk = outputs::measure(&paths).await?;
        let noted = marker::read(&self.marker);
        let record = rules::commit(claim, &noted.marker, &self.declared, &disk).map_err(|not_made| {
            let failure = match not_made {
                NotMade::Missing(path) => {
                    Failure::new(Code::Refused, "output", format!("the command ended well, but {path} is missing"))
                }
                NotMade::Foreign(path) => {
                    Failure::new(Code::Refused, "output", format!("{path} is no file or directory"))
                }
                NotMade::Fenced => {
                    Failure::new(Code::Person, FENCED, "another run took over: its marker is left alone")
                }
            };
            failure.target(self.args.name.as_str())
        })?;
        let attempts = u32::try_from(claim.attempt).unwrap_or(u32::MAX);
        let message = format!("{} is done, {} outputs committed", self.args.name, record.outputs.len());
        self.write(Marker::Done(record), generation.saturating_add(1))?;
        Ok(Done { message, attempts, then: Vec::new() })
    }
}

/// The reason of a failure that leaves the marker to whom it belongs now.
const FENCED: &str = "fenced";
