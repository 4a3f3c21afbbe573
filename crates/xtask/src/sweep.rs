//! `cargo xtask sweep`: kills at random instants, and counts what was violated.

use crate::shell::{cargo, run, target};
use crate::{build, images, setup};
use anyhow::Result;
use serde_json::json;

/// What to break.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Sweep {
    /// SIGKILL to the engine while a four-pod network comes up; E1 to E6 must hold each time.
    Engine {
        /// How many kills while the network comes up; those that find it up are made up for.
        #[arg(long, default_value_t = 200)]
        kills: u32,
        /// Where the instants come from; the same seed tries the same instants.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// The n-th system call of a kind kills or fails while a pod comes up, in the engine and in the pod's own process, for
    /// n = 1, 2, ... until nothing is left to break; E1 to E6 must hold each time.
    Calls {
        /// Stops after so many minutes, and says what was not gone through.
        #[arg(long, default_value_t = 60)]
        budget: u64,
    },
}

/// One sweep, as its driver is told.
struct Order {
    what: &'static str,
    kills: u32,
    seed: u64,
    budget: u64,
}

/// Breaks it.
pub(crate) fn run_sweep(sweep: &Sweep) -> Result<()> {
    match sweep {
        Sweep::Engine { kills, seed } => drive(&Order { what: "engine", kills: *kills, seed: *seed, budget: 0 }),
        Sweep::Calls { budget } => drive(&Order { what: "calls", kills: 0, seed: 0, budget: budget * 60 }),
    }
}

fn drive(order: &Order) -> Result<()> {
    let Order { what, kills, seed, budget } = order;
    setup::packages(&[setup::BUILD, setup::TEST])?;
    let built = build::release()?;
    let scratch = target().join(format!("sweep-{what}"));
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)?;
    }
    std::fs::create_dir_all(&scratch)?;
    let layout = scratch.join("layout");
    images::assemble(&layout, &images::busybox()?, &json!({"Cmd": ["sh"]}))?;
    run(cargo()
        // The one that kills need not be fast; the engine it kills is the release.
        .args(["run", "--quiet", "--package", "firstlight", "--example", "sweep"])
        .env("SWEEP_FIRSTLIGHT", &built.firstlight)
        .env("SWEEP_LAYOUT", &layout)
        .env("SWEEP_SCRATCH", &scratch)
        .env("SWEEP_WHAT", what)
        .env("SWEEP_BUDGET", budget.to_string())
        .env("SWEEP_KILLS", kills.to_string())
        .env("SWEEP_SEED", seed.to_string()))
}
