//! `cargo xtask mutants`: does a fault in the pure crates make a test fail? A sample of all faults that cargo-mutants can make,
//! each in turn; ends with one line of JSON, killed of made.

use crate::shell::{cargo, output, root, run, target, tools};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of cargo-mutants: another one makes other faults.
const VERSION: &str = "27.1.0";

/// Where faults are made.
const CRATES: [&str; 2] = ["firstlight-pod", "firstlight-api"];

/// How many random lives the tests live for each fault: most faults need few.
const LIVES: &str = "300";

/// At most so long until a test that hangs counts as failed, in seconds.
const TIMEOUT: &str = "120";

/// What to break.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many faults are made in each of the two crates, about.
    #[arg(long, default_value_t = 40)]
    each: usize,
    /// Which sample of all faults, from 0.
    #[arg(long, default_value_t = 0)]
    sample: usize,
}

/// What came of the faults in one crate.
#[derive(Debug, Default)]
struct Outcome {
    killed: u64,
    /// Faults that are no program.
    unviable: u64,
    survivors: Vec<String>,
}

/// Makes the faults and prints what came of them. An error is a fault that no test has seen.
pub(crate) fn run_mutants(args: &Args) -> Result<()> {
    let program = install()?;
    let mut rows = Vec::new();
    let (mut killed, mut made) = (0, 0);
    for name in CRATES {
        let Outcome { killed: here, unviable, survivors } = break_one(&program, name, args)?;
        for survivor in &survivors {
            println!("survives: {survivor}");
        }
        let viable = here + survivors.len() as u64;
        println!("{name}: {here} of {viable} faults are seen ({unviable} more are no program)");
        rows.push(json!({"crate": name, "killed": here, "made": viable, "unviable": unviable, "survivors": survivors}));
        (killed, made) = (killed + here, made + viable);
    }
    let goals = json!([
        {"goal": "faults made", "value": made, "limit": 60, "met": made >= 60},
        {"goal": "faults no test has seen", "value": made - killed, "limit": 0, "met": made == killed},
    ]);
    println!("{}", json!({"mutants": rows, "sample": args.sample, "killed": killed, "made": made, "goals": goals}));
    if killed < made {
        bail!("{} of {made} faults were seen by no test", made - killed);
    }
    Ok(())
}

/// cargo-mutants, built once.
fn install() -> Result<PathBuf> {
    let place = tools()?.join(format!("cargo-mutants-{VERSION}"));
    let program = place.join("bin/cargo-mutants");
    if !program.exists() {
        println!("building cargo-mutants {VERSION}");
        run(cargo().args(["install", "cargo-mutants", "--version", VERSION, "--locked", "--root"]).arg(&place))?;
    }
    Ok(program)
}

fn break_one(program: &Path, name: &str, args: &Args) -> Result<Outcome> {
    let listed = output(mutants(program, name).args(["--list"]))?;
    let samples = (listed.lines().count() / args.each.max(1)).max(1);
    if args.sample >= samples {
        bail!("{name} has {samples} samples of {} faults: name one of 0 to {}", args.each, samples - 1);
    }
    let place = target().join("mutants").join(name);
    std::fs::create_dir_all(&place)?;
    let mut command = mutants(program, name);
    command
        .args(["--sharding", "round-robin", "--shard", &format!("{}/{samples}", args.sample)])
        .args(["--minimum-test-timeout", TIMEOUT, "--no-times", "--output"])
        .arg(&place)
        .env("LIVES", LIVES);
    // It ends with an error if a fault survives: told below, with all the others.
    command.status().with_context(|| format!("cannot run {command:?}"))?;
    let told = std::fs::read_to_string(place.join("mutants.out/outcomes.json"))?;
    read(&serde_json::from_str(&told)?)
}

fn mutants(program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    // Its own copy of the tree has a target folder of its own.
    command.current_dir(root()).args(["mutants", "--package", name]).env_remove("CARGO_TARGET_DIR");
    command
}

fn read(told: &Value) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for fault in told["outcomes"].as_array().context("cargo-mutants told no outcomes")? {
        let Some(name) = fault.pointer("/scenario/Mutant/name").and_then(Value::as_str) else { continue };
        match fault["summary"].as_str().unwrap_or_default() {
            "CaughtMutant" | "Timeout" => outcome.killed += 1,
            "MissedMutant" => outcome.survivors.push(name.to_owned()),
            "Unviable" => outcome.unviable += 1,
            other => bail!("{name}: cargo-mutants says {other:?}"),
        }
    }
    Ok(outcome)
}
