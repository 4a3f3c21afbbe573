//! Breaks the engine in every way this machine can, starts it again, and checks the invariants E1 to E6 each time. Run by
//! `cargo xtask sweep`.
//!
//! | module | what it breaks |
//! | --- | --- |
//! | `kills` | the engine is killed at random instants, and again while it recovers |
//! | `calls` | the n-th system call of a kind kills or fails, in the engine and in the pods' own processes |

mod calls;
mod engine;
mod kills;
mod luck;
mod network;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How long a network may take to be whole after the engine is back.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<ExitCode> {
    let Some(settings) = Settings::from_environment() else {
        println!("run this through `cargo xtask sweep`, which builds what it breaks");
        return Ok(ExitCode::SUCCESS);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let held = match settings.what.as_str() {
        "calls" => runtime.block_on(calls::sweep(&settings))?,
        _ => runtime.block_on(kills::sweep(&settings))?,
    };
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Settings {
    firstlight: PathBuf,
    what: String,
    layout: PathBuf,
    scratch: PathBuf,
    kills: u32,
    seed: u64,
    /// How long a sweep that goes through everything may take.
    budget: Duration,
}

impl Settings {
    fn from_environment() -> Option<Settings> {
        let text = |name: &str| std::env::var(name).ok();
        Some(Settings {
            firstlight: text("SWEEP_FIRSTLIGHT")?.into(),
            what: text("SWEEP_WHAT")?,
            layout: text("SWEEP_LAYOUT")?.into(),
            scratch: text("SWEEP_SCRATCH")?.into(),
            kills: text("SWEEP_KILLS")?.parse().ok()?,
            seed: text("SWEEP_SEED")?.parse().ok()?,
            budget: Duration::from_secs(text("SWEEP_BUDGET")?.parse().ok()?),
        })
    }
}
