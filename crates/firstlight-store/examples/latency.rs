//! What a durable write costs here: `cargo run --release -p firstlight-store --example latency -- DIR`.
//!
//! Prints medians and 99th percentiles in microseconds for one writer and for 16 at once, with 4 KB objects, beside
//! a bare append and fdatasync of the same size.

use firstlight_api::object::{Key, resources};
use firstlight_store::{Expect, Store, Write};
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let dir = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("usage: latency DIR"))?;
    let dir = Path::new(&dir);
    std::fs::create_dir_all(dir)?;
    report("append + fdatasync", bare(&dir.join("bare"))?);
    let began = Instant::now();
    let store = Store::open(&dir.join("store"))?;
    println!("{:<24} {:>8} us", "open", began.elapsed().as_micros());
    report("1 writer", lanes(&store, 1).await?);
    report("16 writers", lanes(&store, 16).await?);
    drop(store);
    let began = Instant::now();
    let store = Store::open(&dir.join("store"))?;
    let objects = store.list(resources::PODS, None).items.len();
    println!("{:<24} {:>8} us, {objects} objects", "open again", began.elapsed().as_micros());
    Ok(())
}

fn bare(path: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = std::fs::File::create(path)?;
    let block = vec![b'x'; 4096];
    (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&block)?;
            file.sync_data()?;
            Ok(began.elapsed())
        })
        .collect()
}

async fn lanes(store: &Store, lanes: usize) -> anyhow::Result<Vec<Duration>> {
    let tasks: Vec<_> = (0..lanes)
        .map(|lane| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                for n in 0..ROUNDS / lanes {
                    let key = Key::new(resources::PODS, format!("lanes-{lanes}"), format!("{lane}-{n}"));
                    let value = Some(json!({"data": "x".repeat(4000)}));
                    let began = Instant::now();
                    store.commit(Write { key, expect: Expect::Absent, value }).await?;
                    times.push(began.elapsed());
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    Ok(times)
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_micros();
    println!("{what:<24} {:>8} us p50 {:>8} us p99", at(50), at(99));
}
