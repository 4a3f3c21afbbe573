//! How long many pods take to be Ready together on one engine, and what memory they need: time per pod must not grow
//! with their number.
//!
//! Run by `cargo xtask bench scale`. Prints a table and one line of JSON.

#[path = "pods/engine.rs"]
#[expect(dead_code, reason = "the other bench times starts and single pods with it")]
mod engine;

use anyhow::{Context, Result, bail};
use engine::Engine;
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, ObjectList, PostParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How many pods come up together.
const PODS: [usize; 5] = [1, 10, 50, 100, 200];

/// Init containers of each.
const INITS: usize = 2;

/// How many requests are on their way at once, as from a few busy clients.
const AT_ONCE: usize = 16;

/// How much more a pod may take among 200 than among 10: room for noise, none for growth.
const GROWTH: f64 = 1.1;

/// Where things are, from the environment that `cargo xtask bench scale` sets.
struct Place {
    firstlight: PathBuf,
    layout: PathBuf,
    scratch: PathBuf,
    rounds: usize,
}

/// What so many pods took, round by round.
#[derive(Debug, Default, Clone)]
struct Samples {
    ready: Vec<Duration>,
    gone: Vec<Duration>,
    /// Resident memory of the engine with all of them Ready, in MiB.
    rss: Vec<f64>,
    /// Proportional memory of all their processes but their programs, in MiB.
    shims: Vec<f64>,
}

fn main() -> Result<()> {
    let Some(place) = Place::from_environment() else {
        println!("run this through `cargo xtask bench scale`, which prepares what it needs");
        return Ok(());
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(&place))
}

impl Place {
    fn from_environment() -> Option<Place> {
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        Some(Place {
            firstlight: path("BENCH_FIRSTLIGHT")?,
            layout: path("BENCH_LAYOUT")?,
            scratch: path("BENCH_SCRATCH")?,
            rounds: std::env::var("BENCH_ROUNDS").ok()?.parse().ok()?,
        })
    }
}

async fn measure(place: &Place) -> Result<()> {
    let engine = Engine::start(place).await?;
    let idle = engine.rss_mib()?;
    let mut samples = vec![Samples::default(); PODS.len()];
    // One round unmeasured: the first of everything fills caches.
    for round in 0..=place.rounds {
        for (count, samples) in PODS.into_iter().zip(&mut samples) {
            let (ready, gone, rss, shims) = together(&engine, round, count).await?;
            if round > 0 {
                samples.ready.push(ready);
                samples.gone.push(gone);
                samples.rss.push(rss);
                samples.shims.push(shims);
            }
        }
    }
    engine.end().await?;
    report(idle, &samples);
    Ok(())
}

/// Brings so many pods up together and takes them away again.
async fn together(engine: &Engine, round: usize, count: usize) -> Result<(Duration, Duration, f64, f64)> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
    let pods: Api<DynamicObject> = Api::namespaced_with(engine.client(), "default", &resource);
    let version = pods.list(&ListParams::default()).await?.metadata.resource_version.unwrap_or_default();
    let mut events = pods.watch(&WatchParams::default(), &version).await?.boxed();
    let mut manifests = Vec::new();
    for number in 0..count {
        let name = format!("bench-{round}-{count}-{number}");
        manifests.push(serde_json::from_value::<DynamicObject>(manifest(&name, INITS, engine::IMAGE))?);
    }
    let began = Instant::now();
    let post = PostParams::default();
    let creating = stream::iter(manifests.iter().map(|pod| pods.create(&post, pod)))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) });
    let waiting = async {
        let mut ready = BTreeSet::new();
        while ready.len() < count {
            match events.try_next().await?.context("the watch ended")? {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) if is_ready(&pod) => {
                    ready.insert(pod.metadata.name);
                }
                WatchEvent::Error(status) => bail!("{status:?}"),
                _ => {}
            }
        }
        Ok(())
    };
    let (created, waited) = tokio::join!(creating, waiting);
    created?;
    waited?;
    let ready = began.elapsed();
    let (rss, shims) = (engine.rss_mib()?, shims_mib()?);
    let began = Instant::now();
    pods.delete_collection(&DeleteParams::default().grace_period(1), &ListParams::default()).await?;
    while !nothing_left(engine).await? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((ready, began.elapsed(), rss, shims))
}

async fn nothing_left(engine: &Engine) -> Result<bool> {
    let client = engine.client();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Node"));
    let nodes: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let node = nodes.list(&ListParams::default()).await?.items.pop().context("no node")?;
    let path = format!("/api/v1/nodes/{}/proxy/runningpods/", node.metadata.name.unwrap_or_default());
    let left: ObjectList<DynamicObject> = client.request(http::Request::get(path).body(Vec::new())?).await?;
    Ok(left.items.is_empty())
}

/// Proportional memory of every pod's own process: what they share is counted once.
fn shims_mib() -> Result<f64> {
    let mut kib = 0.0;
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let command = std::fs::read(path.join("cmdline")).unwrap_or_default();
        if command.starts_with(b"firstlight\0__pod\0") {
            let rollup = std::fs::read_to_string(path.join("smaps_rollup")).unwrap_or_default();
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or("0 kB");
            kib += line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default();
        }
    }
    Ok(kib / 1024.0)
}

fn is_ready(pod: &DynamicObject) -> bool {
    let conditions = pod.data.pointer("/status/conditions").and_then(Value::as_array);
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

fn report(idle: f64, samples: &[Samples]) {
    println!(
        "{:>5} {:>14} {:>12} {:>14} {:>12} {:>14}",
        "pods", "all ready ms", "ms per pod", "all gone ms", "engine MiB", "shims MiB"
    );
    let mut rows = Vec::new();
    for (count, samples) in PODS.into_iter().zip(samples) {
        let (ready, gone) = (median(&samples.ready), median(&samples.gone));
        let each = ready / count as f64;
        let (rss, shims) = (median_of(&samples.rss), median_of(&samples.shims));
        println!("{count:>5} {ready:>14.1} {each:>12.2} {gone:>14.1} {rss:>12.1} {shims:>14.1}");
        rows.push(json!({"pods": count, "all_ready_ms": ready, "ms_per_pod": each, "all_gone_ms": gone,
                         "engine_rss_mib": rss, "shims_pss_mib": shims}));
    }
    let each = |count: usize| {
        rows.iter().find(|row| row["pods"] == count).and_then(|row| row["ms_per_pod"].as_f64()).unwrap_or(f64::NAN)
    };
    let growth = (each(200) / each(10) * 100.0).round() / 100.0;
    println!("engine idle {idle:.1} MiB; a pod among 200 takes {growth} times as long as among 10");
    println!(
        "{}",
        json!({"bench": "scale", "inits": INITS, "samples": samples[0].ready.len(), "rows": rows, "engine_idle_mib": idle,
               "goals": [{"goal": "time of a pod among 200, in times of one among 10", "value": growth, "limit": GROWTH,
                          "met": growth <= GROWTH}]})
    );
}

fn median(samples: &[Duration]) -> f64 {
    median_of(&samples.iter().map(|time| (time.as_secs_f64() * 1e4).round() / 10.0).collect::<Vec<_>>())
}

fn median_of(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn manifest(name: &str, inits: usize, image: &str) -> Value {
    let init = |i: usize| json!({"name": format!("i{i}"), "image": image, "imagePullPolicy": "Never", "command": ["/bin/true"]});
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 1,
            "initContainers": (0..inits).map(init).collect::<Vec<_>>(),
            "containers": [{"name": "main", "image": image, "imagePullPolicy": "Never", "command": ["/bin/sleep", "1000"]}],
        }
    })
}
