//! `cargo xtask test`: everything CI asks, in one command.

use crate::shell::{self, cargo};
use crate::{build, setup, tidy};
use anyhow::Result;
use std::path::PathBuf;

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the tests, not formatting, lints, documentation and shape.
    #[arg(long)]
    tests_only: bool,
    /// Passed to the test binaries, for example a test's name.
    #[arg(last = true)]
    filter: Vec<String>,
}

/// Where the property tests' randomness comes from; set it to look elsewhere.
const SEED: &str = "PROPTEST_RNG_SEED";

/// Installs, checks, tests.
pub(crate) fn run(args: &Args) -> Result<()> {
    let kubectl = prepare()?;
    if !args.tests_only {
        run_cargo(&["fmt", "--all", "--check"])?;
        tidy::run()?;
        run_cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])?;
    }
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--no-fail-fast", "--"]).args(&args.filter);
    // The same random lives in every run, so that a failure can be had again; the variable looks elsewhere.
    if std::env::var_os(SEED).is_none() {
        tests.env(SEED, "1");
    }
    tests.env("KUBECTL", kubectl);
    shell::run(&mut tests)?;
    if !args.tests_only {
        shell::run(
            cargo()
                .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])
                .env("RUSTDOCFLAGS", "--deny warnings"),
        )?;
    }
    Ok(())
}

/// Installs what the tests need; the answer is the kubectl they speak with.
pub(crate) fn prepare() -> Result<PathBuf> {
    setup::packages(&[setup::BUILD, setup::TEST])?;
    build::toolbox()?;
    setup::kubectl()
}

fn run_cargo(arguments: &[&str]) -> Result<()> {
    shell::run(cargo().args(arguments))
}
