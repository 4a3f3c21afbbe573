//! `cargo xtask conformance`: which of Kubernetes' rules and upstream cases have a test, and which have none?
//!
//! ```text
//!  docs/conformance/{rules,rows}.txt ── inventory ──┐
//!  SPECIFICATION.md (argued away) ──────────────────┤
//!  #[test] functions ── source ─┐                   ├─► report
//!  stories and tables ──────────┴─ evidence ────────┘
//!           cargo test ── passed ──┘  (with --run)
//! ```
//!
//! A claim is part of a test, never a list of its own: docs/conformance/README.md says how one is made.

mod evidence;
mod id;
mod inventory;
mod passed;
mod report;
mod source;

use crate::shell::root;
use anyhow::{Result, bail};

/// How sure the figures are.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs the tests that claim something, and counts only claims whose test passed.
    #[arg(long)]
    run: bool,
}

/// Prints the figures. An error is a claim that cannot be: of an unknown id, or of data that no test reads.
pub(crate) fn run(args: &Args) -> Result<()> {
    let inventory = inventory::read(&root())?;
    let mut claims = evidence::gather(&root(), &inventory)?;
    if args.run {
        claims = passed::only(claims)?;
    }
    let mut report = report::Report::new(&inventory, &claims);
    report.passed = args.run;
    report.print();
    let unknown = report.unknown();
    if !unknown.is_empty() {
        bail!("claims of what docs/conformance does not list:\n  {}", unknown.join("\n  "));
    }
    Ok(())
}
