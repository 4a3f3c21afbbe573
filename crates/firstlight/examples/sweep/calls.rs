//! What does a pod come to when the n-th system call of a kind kills whoever makes it, or fails? In the engine and in the
//! pod's own process alike, for n = 1, 2, ... until a whole life passes untouched. Run by `cargo xtask sweep calls`; prints
//! the counts and one line of JSON.
//!
//! Only calls that the containers of this network do not make themselves: what a container fails at is its own end.

use crate::engine::Engine;
use crate::network::{self, Shape};
use crate::witness::Violations;
use crate::{LIMIT, Settings};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The calls, and how each of them fails.
const CALLS: [(&str, &str); 19] = [
    ("clone3", "EAGAIN"),
    ("unshare", "ENOSPC"),
    ("setns", "EPERM"),
    ("pivot_root", "EBUSY"),
    ("mount", "ENOMEM"),
    ("umount2", "EBUSY"),
    ("mkdir", "ENOSPC"),
    ("mkdirat", "ENOSPC"),
    ("rename", "EIO"),
    ("renameat2", "EIO"),
    ("symlinkat", "ENOSPC"),
    ("unlinkat", "EBUSY"),
    ("rmdir", "EBUSY"),
    ("ftruncate", "EIO"),
    ("fdatasync", "EIO"),
    ("fsync", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("memfd_create", "EMFILE"),
    ("pidfd_open", "EMFILE"),
];

/// How long the pod is let come up with the fault in place: a few times what it needs.
const PATIENCE: Duration = Duration::from_secs(3);

/// From here on n grows by a tenth: calls that are made by the hundred differ little from one to the next.
const EVERY_ONE: u32 = 24;

/// What happens at the n-th call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Kills,
    Fails,
}

#[derive(Default)]
struct Tally {
    violations: Violations,
    rounds: u32,
    /// Rounds in which the fault was reached.
    faults: u32,
    whole: u32,
    /// What was not gone through to its end for want of time.
    unfinished: Vec<String>,
}

pub(crate) async fn sweep(settings: &Settings) -> anyhow::Result<bool> {
    let mut engine = Engine::prepare(settings)?;
    let mut tally = Tally::default();
    let began = Instant::now();
    for way in [Way::Kills, Way::Fails] {
        for (call, error) in CALLS {
            let before = tally.faults;
            if began.elapsed() > settings.budget {
                tally.unfinished.push(format!("{call} {way:?}"));
                continue;
            }
            through(&mut engine, settings, (call, error, way), began, &mut tally).await?;
            println!("{call} {way:?}: {} faults", tally.faults - before);
        }
    }
    report(settings, &tally, began.elapsed());
    Ok(tally.violations.is_empty())
}

/// One call after the other.
async fn through(
    engine: &mut Engine,
    settings: &Settings,
    (call, error, way): (&str, &str, Way),
    began: Instant,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let mut number = 1;
    loop {
        let trace = settings.scratch.join("trace");
        let fault = match way {
            Way::Kills => "signal=SIGKILL".to_owned(),
            Way::Fails => format!("error={error}"),
        };
        let arguments = ["-D", "-f", "-qq", "-o", &trace.display().to_string(), "-e", &format!("trace={call}"), "-e"];
        let mut arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        arguments.push(format!("inject={call}:{fault}:when={number}"));
        if let Err(error) = round(engine, arguments, tally).await {
            tally.violations.add("E6", tally.rounds, format!("{call} {way:?} {number}: {error:#}"));
        }
        tally.violations.name_since(tally.rounds, &format!("{call} {way:?} {number}"));
        tally.rounds += 1;
        if most_calls(&std::fs::read_to_string(&trace)?, call) < number {
            return Ok(());
        }
        tally.faults += 1;
        if began.elapsed() > settings.budget {
            tally.unfinished.push(format!("{call} {way:?} after {number}"));
            return Ok(());
        }
        number = if number < EVERY_ONE { number + 1 } else { number + number / 10 };
    }
}

/// How many of these calls the thread made that made the most: strace counts them thread by thread.
fn most_calls(trace: &str, call: &str) -> u32 {
    let mut calls: BTreeMap<&str, u32> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, said)) = line.split_once(' ') else { continue };
        if said.trim_start().strip_prefix(call).is_some_and(|rest| rest.starts_with('(')) {
            *calls.entry(thread).or_default() += 1;
        }
    }
    calls.into_values().max().unwrap_or(0)
}

/// One life with the fault in place, and everything that must be true after it.
async fn round(engine: &mut Engine, trace: Vec<String>, tally: &mut Tally) -> anyhow::Result<()> {
    engine.trace(trace);
    engine.spawn()?;
    let mut acknowledged = Vec::new();
    if engine.answers().await.is_ok() {
        let posted = Instant::now();
        acknowledged = network::post(engine, Shape::Leader, tally.rounds, PATIENCE / 4, posted).await;
        while posted.elapsed() < PATIENCE && !engine.has_ended()? && !network::is_whole(engine, Shape::Leader).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    engine.untrace()?;
    engine.kill()?;
    engine.start().await?;
    tally.violations.check_writes(tally.rounds, engine, &acknowledged).await?;
    if network::finish(engine, Shape::Leader, &acknowledged, LIMIT).await? {
        tally.whole += 1;
    } else {
        tally.violations.add("E2", tally.rounds, "the pod never became Ready".to_owned());
    }
    tally.violations.check_rounds(tally.rounds, engine).await?;
    network::delete(engine, Shape::Leader, LIMIT).await?;
    tally.violations.check_leftovers(tally.rounds, engine)?;
    engine.stop()
}

fn report(settings: &Settings, tally: &Tally, took: Duration) {
    let Tally { violations, rounds, faults, whole, unfinished } = tally;
    for line in violations.lines() {
        println!("{line}");
    }
    for what in unfinished {
        println!("not to the end: {what}");
    }
    let counts = violations.counts();
    println!(
        "{faults} faults in {rounds} lives of a pod, in {:.0} s: {whole} whole after it; {} of {} loops were not gone \
         through to the end in {} s",
        took.as_secs_f64(),
        unfinished.len(),
        2 * CALLS.len(),
        settings.budget.as_secs()
    );
    let goals: Vec<_> = counts
        .iter()
        .map(|(invariant, count)| {
            json!({"goal": format!("violations of {invariant}"), "value": count, "limit": 0, "met": *count == 0})
        })
        .collect();
    println!(
        "{}",
        json!({"sweep": "calls", "lives": rounds, "faults": faults, "whole_after": whole, "unfinished": unfinished,
               "violations": counts, "goals": goals})
    );
}
