//! Kills the engine at random instants while a four-pod network comes up, starts it again, and checks the
//! invariants E1 to E6 every time. Run by `cargo xtask sweep engine`; prints the counts and one line of JSON.

mod engine;
mod network;
mod witness;

use engine::Engine;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use witness::Violations;

/// Kills happen within this time after the pods were posted: a little longer than the network needs.
const WINDOW: Duration = Duration::from_millis(900);

/// How long the network may take to be whole after the engine is back.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<()> {
    let Some(settings) = Settings::from_environment() else {
        println!("run this through `cargo xtask sweep engine`, which builds what it kills");
        return Ok(());
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(sweep(&settings))
}

struct Settings {
    firstlight: PathBuf,
    layout: PathBuf,
    scratch: PathBuf,
    kills: u32,
    seed: u64,
}

impl Settings {
    fn from_environment() -> Option<Settings> {
        let text = |name: &str| std::env::var(name).ok();
        Some(Settings {
            firstlight: text("SWEEP_FIRSTLIGHT")?.into(),
            layout: text("SWEEP_LAYOUT")?.into(),
            scratch: text("SWEEP_SCRATCH")?.into(),
            kills: text("SWEEP_KILLS")?.parse().ok()?,
            seed: text("SWEEP_SEED")?.parse().ok()?,
        })
    }
}

/// Luck from a seed: splitmix64, printed with every failure so that the same instants can be tried again.
struct Luck(u64);

impl Luck {
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(z % nanos.max(1))
    }
}

async fn sweep(settings: &Settings) -> anyhow::Result<()> {
    let mut luck = Luck(settings.seed);
    let mut violations = Violations::default();
    let (mut writes, mut during_init, mut whole) = (0, 0, 0);
    let began = Instant::now();
    let mut engine = Engine::prepare(settings)?;
    for kill in 0..settings.kills {
        engine.start().await?;
        let posted = Instant::now();
        let acknowledged = network::post(&engine, kill, luck.below(WINDOW), posted).await;
        if !network::is_whole(&engine).await {
            during_init += 1;
        }
        engine.kill()?;
        engine.start().await?;
        writes += acknowledged.len();
        violations.check_writes(kill, &engine, &acknowledged).await?;
        if network::finish(&engine, &acknowledged, LIMIT).await? {
            whole += 1;
        } else {
            violations.add("E2", kill, "the network never became whole".to_owned());
        }
        violations.check_pods(kill, &engine).await?;
        network::delete(&engine, LIMIT).await?;
        violations.check_leftovers(kill, &engine)?;
        engine.stop()?;
    }
    report(settings, &violations, writes, during_init, whole, began.elapsed());
    Ok(())
}

fn report(settings: &Settings, violations: &Violations, writes: usize, during_init: u32, whole: u32, took: Duration) {
    for line in violations.lines() {
        println!("{line}");
    }
    let counts = violations.counts();
    println!(
        "{} kills in {:.0} s (seed {}): {during_init} while the network came up, {writes} acknowledged writes, {whole} networks whole after it",
        settings.kills,
        took.as_secs_f64(),
        settings.seed
    );
    let goals: Vec<_> = counts
        .iter()
        .map(|(invariant, count)| json!({"goal": format!("violations of {invariant}"), "value": count, "limit": 0, "met": *count == 0}))
        .collect();
    println!(
        "{}",
        json!({"sweep": "engine", "kills": settings.kills, "seed": settings.seed, "acknowledged_writes": writes,
               "killed_while_coming_up": during_init, "whole_after": whole, "violations": counts, "goals": goals})
    );
}
