//! What does the engine come to when it is killed at random instants while a four-pod network comes up, and again while
//! it recovers? Run by `cargo xtask sweep engine`; prints the counts and one line of JSON.

use crate::engine::Engine;
use crate::luck::Luck;
use crate::network::{self, Shape};
use crate::witness::Violations;
use crate::{LIMIT, Settings};
use serde_json::json;
use std::time::{Duration, Instant};

/// Kills happen within this many times what the network needs to come up undisturbed, counted from the first post:
/// a few find it up.
const WINDOW: f64 = 1.2;

/// How often a recovering engine is killed again, at most, and within what time of its start.
const DEEP: u64 = 5;
const RECOVERY: Duration = Duration::from_millis(80);

pub(crate) async fn sweep(settings: &Settings) -> anyhow::Result<bool> {
    let mut luck = Luck(settings.seed);
    let mut tally = Tally::default();
    let began = Instant::now();
    let mut engine = Engine::prepare(settings)?;
    let window = undisturbed(&mut engine).await?.mul_f64(WINDOW);
    // A kill that finds the network up already is checked like the others, and made up for.
    while tally.coming_up < settings.kills && tally.kills < 2 * settings.kills {
        let kill = tally.kills;
        if let Err(error) = round(&mut engine, kill, luck.below(window), &mut luck, &mut tally).await {
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
    /// Kills of engines that were recovering from one.
    recovering: u32,
    whole: u32,
}

/// How long the network needs to come up if nobody is killed.
async fn undisturbed(engine: &mut Engine) -> anyhow::Result<Duration> {
    let mut fastest = LIMIT;
    for _ in 0..3 {
        engine.start().await?;
        let began = Instant::now();
        if !network::finish(engine, Shape::Network, &Vec::new(), LIMIT).await? {
            anyhow::bail!("the network does not come up even undisturbed");
        }
        fastest = fastest.min(began.elapsed());
        network::delete(engine, Shape::Network, LIMIT).await?;
        engine.stop()?;
    }
    Ok(fastest)
}

/// One kill, `after` this long, and everything that must be true then.
async fn round(
    engine: &mut Engine,
    kill: u32,
    after: Duration,
    luck: &mut Luck,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    engine.start().await?;
    let posted = Instant::now();
    let acknowledged = network::post(engine, Shape::Network, kill, after, posted).await;
    tally.coming_up += u32::from(!network::is_whole(engine, Shape::Network).await);
    engine.kill()?;
    for _ in 0..luck.less_than(DEEP + 1) {
        engine.spawn()?;
        tokio::time::sleep(luck.below(RECOVERY)).await;
        engine.kill()?;
        tally.recovering += 1;
    }
    engine.start().await?;
    tally.writes += acknowledged.len();
    tally.violations.check_writes(kill, engine, &acknowledged).await?;
    if network::finish(engine, Shape::Network, &acknowledged, LIMIT).await? {
        tally.whole += 1;
    } else {
        tally.violations.add("E2", kill, "the network never became whole".to_owned());
    }
    tally.violations.check_pods(kill, engine).await?;
    network::delete(engine, Shape::Network, LIMIT).await?;
    tally.violations.check_leftovers(kill, engine)?;
    engine.stop()
}

fn report(settings: &Settings, tally: &Tally, window: Duration, took: Duration) {
    let Tally { violations, kills, writes, coming_up, recovering, whole } = tally;
    for line in violations.lines() {
        println!("{line}");
    }
    let counts = violations.counts();
    println!(
        "{kills} kills within {:.0} ms of the first post, in {:.0} s (seed {}): {coming_up} while the network came up, \
         {recovering} more while it recovered, {writes} acknowledged writes, {whole} networks whole after it",
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
               "killed_while_coming_up": coming_up, "killed_while_recovering": recovering, "whole_after": whole, "violations": counts, "goals": goals})
    );
}
