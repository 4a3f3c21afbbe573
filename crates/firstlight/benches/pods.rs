//! How long a pod takes from POST to its main container running, beside `podman kube play` of the same pod and a
//! bare sequence of `crun run` of the same containers; all in one process tree, interleaved round by round.
//!
//! Run by `cargo xtask bench pods`, which prepares a mount namespace of its own. Prints a table and one line of JSON.

#[path = "pods/crun.rs"]
mod crun;
#[path = "pods/engine.rs"]
mod engine;
#[path = "pods/podman.rs"]
mod podman;

use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Numbers of init containers measured.
const INITS: [usize; 4] = [0, 1, 3, 10];

/// Goals of the issue: how many times faster than podman at three inits.
const PODMAN_FACTOR: f64 = 20.0;

/// At most this multiple of the bare crun sequence, at three and at ten inits.
const CRUN_MULTIPLE: f64 = 1.5;

/// Exec to API ready, at most.
const START_LIMIT: Duration = Duration::from_millis(60);

/// Resident memory of an idle engine, at most, in MiB.
const RSS_LIMIT_MIB: f64 = 40.0;

/// Where things are, from the environment that `cargo xtask bench pods` sets.
struct Place {
    firstlight: PathBuf,
    busybox_root: PathBuf,
    layout: PathBuf,
    scratch: PathBuf,
    rounds: usize,
}

fn main() -> anyhow::Result<()> {
    let Some(place) = Place::from_environment() else {
        println!("run this through `cargo xtask bench pods`, which prepares what it compares with");
        return Ok(());
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(compare(&place))
}

impl Place {
    fn from_environment() -> Option<Place> {
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        Some(Place {
            firstlight: path("BENCH_FIRSTLIGHT")?,
            busybox_root: path("BENCH_ROOT")?,
            layout: path("BENCH_LAYOUT")?,
            scratch: path("BENCH_SCRATCH")?,
            rounds: std::env::var("BENCH_ROUNDS").ok()?.parse().ok()?,
        })
    }
}

async fn compare(place: &Place) -> anyhow::Result<()> {
    let starts = engine::starts(place).await?;
    let engine = engine::Engine::start(place).await?;
    let rss = engine.rss_mib()?;
    let podman = podman::Podman::prepare(place)?;
    let mut samples = vec![Samples::default(); INITS.len()];
    // One round unmeasured: the first of everything fills caches.
    for round in 0..=place.rounds {
        for (inits, samples) in INITS.into_iter().zip(&mut samples) {
            let (ours, theirs, bare) =
                (engine.pod(round, inits).await?, podman.pod(inits)?, crun::sequence(place, inits)?);
            if round > 0 {
                samples.engine.push(ours);
                samples.podman.push(theirs);
                samples.crun.push(bare);
            }
        }
    }
    engine.end().await?;
    report(&starts, rss, &samples);
    Ok(())
}

#[derive(Debug, Default, Clone)]
struct Samples {
    engine: Vec<Duration>,
    podman: Vec<Duration>,
    crun: Vec<Duration>,
}

fn report(starts: &[Duration], rss: f64, samples: &[Samples]) {
    println!(
        "{:>6} {:>14} {:>14} {:>14} {:>12} {:>12}",
        "inits", "firstlight ms", "podman ms", "crun ms", "podman/ours", "ours/crun"
    );
    let mut rows = Vec::new();
    for (inits, samples) in INITS.into_iter().zip(samples) {
        let (ours, podman, crun) = (median(&samples.engine), median(&samples.podman), median(&samples.crun));
        let (faster, multiple) = (ratio(podman, ours), ratio(ours, crun));
        println!(
            "{inits:>6} {:>14.1} {:>14.1} {:>14.1} {faster:>12.1} {multiple:>12.2}",
            ms(ours),
            ms(podman),
            ms(crun)
        );
        rows.push(json!({"inits": inits, "firstlight_ms": ms(ours), "podman_ms": ms(podman), "crun_ms": ms(crun),
                         "podman_over_ours": faster, "ours_over_crun": multiple}));
    }
    let start = median(starts);
    println!("engine: exec to API ready {:.1} ms, idle {rss:.1} MiB", ms(start));
    println!(
        "{}",
        json!({"bench": "pods", "samples": samples[0].engine.len(), "rows": rows,
                          "engine_start_ms": ms(start), "engine_rss_mib": rss, "goals": goals(&rows, start, rss)})
    );
}

fn goals(rows: &[Value], start: Duration, rss: f64) -> Vec<Value> {
    let at = |inits: usize, figure: &str| {
        rows.iter().find(|row| row["inits"] == inits).and_then(|row| row[figure].as_f64()).unwrap_or(f64::NAN)
    };
    let most = |goal: &str, value: f64, limit: f64| json!({"goal": goal, "value": value, "limit": limit, "met": value <= limit});
    let faster = at(3, "podman_over_ours");
    vec![
        json!({"goal": "times faster than podman at 3 inits", "value": faster, "limit": PODMAN_FACTOR, "met": faster >= PODMAN_FACTOR}),
        most("multiple of the crun sequence at 3 inits", at(3, "ours_over_crun"), CRUN_MULTIPLE),
        most("multiple of the crun sequence at 10 inits", at(10, "ours_over_crun"), CRUN_MULTIPLE),
        most("exec to API ready, ms", ms(start), ms(START_LIMIT)),
        most("idle resident memory, MiB", rss, RSS_LIMIT_MIB),
    ]
}

fn median(samples: &[Duration]) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}

fn ratio(a: Duration, b: Duration) -> f64 {
    (a.as_secs_f64() / b.as_secs_f64() * 100.0).round() / 100.0
}

/// The pod that everybody starts: `inits` times /bin/true, then a sleeping main container.
fn manifest(name: &str, inits: usize, image: &str) -> Value {
    let init = |i: usize| json!({"name": format!("i{i}"), "image": image, "imagePullPolicy": "Never", "command": ["/bin/true"]});
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "initContainers": (0..inits).map(init).collect::<Vec<_>>(),
            "containers": [{"name": "main", "image": image, "imagePullPolicy": "Never", "command": ["/bin/sleep", "1000"]}],
        }
    })
}
