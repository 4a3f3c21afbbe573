//! Kills the engine at random instants while a four-pod network comes up, starts it again, and checks the
//! invariants E1 to E6 every time. Run by `cargo xtask sweep engine`; prints the counts and one line of JSON.

mod engine;
mod network;
mod witness;

use engine::Engine;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use witness::Violations;

/// Kills happen within this many times what the network needs to come up undisturbed, counted from the first post:
/// a few find it up.
const WINDOW: f64 = 1.2;

/// How long the network may take to be whole after the engine is back.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<ExitCode> {
    let Some(settings) = Settings::from_environment() else {
        println!("run this through `cargo xtask sweep engine`, which builds what it kills");
        return Ok(ExitCode::SUCCESS);
    };
    let held = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(sweep(&settings))?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

async fn sweep(settings: &Settings) -> anyhow::Result<bool> {
    let mut luck = Luck(settings.seed);
    let mut tally = Tally::default();
    let began = Instant::now();
    let mut engine = Engine::prepare(settings)?;
    let window = undisturbed(&mut engine).await?.mul_f64(WINDOW);
    // A kill that finds the network up already is checked like the others, and made up for.
    while tally.coming_up < settings.kills && tally.kills < 2 * settings.kills {
        let kill = tally.kills;
        if let Err(error) = round(&mut engine, kill, luck.below(window), &mut tally).await {
            // What an invariant's check could not go on from is a violation too, and the last thing looked at.
            tally.violations.add("E6", kill, format!("{error:#}"));
            break;
        }
        tally.kills += 1;
    }
    report(settings, &tally, window, began.elapsed());
    Ok(tally.coming_up == settings.kills && tally.violations.is_empty())
}

/// What the rounds add up to.
#[derive(Default)]
struct Tally {
    violations: Violations,
    kills: u32,
    writes: usize,
    coming_up: u32,
    whole: u32,
}

/// How long the network needs to come up if nobody is killed.
async fn undisturbed(engine: &mut Engine) -> anyhow::Result<Duration> {
    let mut fastest = LIMIT;
    for _ in 0..3 {
        engine.start().await?;
        let began = Instant::now();
        if !network::finish(engine, &Vec::new(), LIMIT).await? {
            anyhow::bail!("the network does not come up even undisturbed");
        }
        fastest = fastest.min(began.elapsed());
        network::delete(engine, LIMIT).await?;
        engine.stop()?;
    }
    Ok(fastest)
}

/// One kill, `after` this long, and everything that must be true then.
async fn round(engine: &mut Engine, kill: u32, after: Duration, tally: &mut Tally) -> anyhow::Result<()> {
    engine.start().await?;
    let posted = Instant::now();
    let acknowledged = network::post(engine, kill, after, posted).await;
    tally.coming_up += u32::from(!network::is_whole(engine).await);
    engine.kill()?;
    engine.start().await?;
    tally.writes += acknowledged.len();
    tally.violations.check_writes(kill, engine, &acknowledged).await?;
    if network::finish(engine, &acknowledged, LIMIT).await? {
        tally.whole += 1;
    } else {
        tally.violations.add("E2", kill, "the network never became whole".to_owned());
    }
    tally.violations.check_pods(kill, engine).await?;
    network::delete(engine, LIMIT).await?;
    tally.violations.check_leftovers(kill, engine)?;
    engine.stop()
}

fn report(settings: &Settings, tally: &Tally, window: Duration, took: Duration) {
    let Tally { violations, kills, writes, coming_up, whole } = tally;
    for line in violations.lines() {
        println!("{line}");
    }
    let counts = violations.counts();
    println!(
        "{kills} kills within {:.0} ms of the first post, in {:.0} s (seed {}): {coming_up} while the network came up, \
         {writes} acknowledged writes, {whole} networks whole after it",
        window.as_secs_f64() * 1e3,
        took.as_secs_f64(),
        settings.seed
    );
    let mut goals = vec![
        json!({"goal": "kills while the network came up", "value": coming_up, "limit": settings.kills, "met": *coming_up == settings.kills}),
    ];
    goals.extend(counts.iter().map(|(invariant, count)| {
        json!({"goal": format!("violations of {invariant}"), "value": count, "limit": 0, "met": *count == 0})
    }));
    println!(
        "{}",
        json!({"sweep": "engine", "kills": kills, "seed": settings.seed, "acknowledged_writes": writes,
               "killed_while_coming_up": coming_up, "whole_after": whole, "violations": counts, "goals": goals})
    );
}
