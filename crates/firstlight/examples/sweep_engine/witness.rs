//! What must be true after each kill, and who says so: the API, the containers' own words, and the kernel.

use crate::engine::Engine;
use crate::network::{Acknowledged, api};
use anyhow::Result;
use kube::Client;
use kube::api::ListParams;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long what is bound to come may take: a log's first word, a directory's removal.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found wrong, by invariant.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    found: Vec<(&'static str, u32, String)>,
}

/// The invariants this sweep looks at.
const INVARIANTS: [&str; 6] = ["E1", "E2", "E3", "E4", "E5", "E6"];

impl Violations {
    /// Notes one.
    pub(crate) fn add(&mut self, invariant: &'static str, kill: u32, what: String) {
        self.found.push((invariant, kill, what));
    }

    /// Whether nothing was found wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many of each.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, usize> {
        let count =
            |invariant: &&'static str| (*invariant, self.found.iter().filter(|(i, _, _)| i == invariant).count());
        INVARIANTS.iter().map(count).collect()
    }

    /// One line each.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.found.iter().map(|(invariant, kill, what)| format!("{invariant} violated after kill {kill}: {what}"))
    }

    /// E1: every acknowledged write is there.
    pub(crate) async fn check_writes(&mut self, kill: u32, engine: &Engine, acknowledged: &Acknowledged) -> Result<()> {
        let client = engine.client()?;
        for kind in ["Service", "Pod", "ConfigMap"] {
            let there = api(&client, kind).list(&ListParams::default()).await?;
            let names: Vec<String> = there.items.into_iter().filter_map(|object| object.metadata.name).collect();
            for (_, name) in acknowledged.iter().filter(|(k, name)| *k == kind && !names.contains(name)) {
                self.add("E1", kill, format!("{kind} {name} was acknowledged and is gone"));
            }
        }
        Ok(())
    }

    /// E2, E3 and E5 from what the containers wrote and what the API says of them.
    pub(crate) async fn check_pods(&mut self, kill: u32, engine: &Engine) -> Result<()> {
        let client = engine.client()?;
        for pod in api(&client, "Pod").list(&ListParams::default()).await?.items {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let said = said_by_main(&client, &name).await;
            let first = if name == "leader" { "make" } else { "wait" };
            let right = format!("start {first}\nend {first}\nstart second\nend second\nstart main\n");
            if said != right {
                let invariant = if doubled(&said) { "E3" } else { "E2" };
                self.add(invariant, kill, format!("{name} ran as {said:?}"));
            }
            for status in statuses(&pod.data) {
                if status["restartCount"] != 0 {
                    self.add("E5", kill, format!("{name}: {} ran {} times", status["name"], status["restartCount"]));
                }
            }
        }
        Ok(())
    }

    /// E4: with no pod left, no process, cgroup, interface or directory of one is.
    pub(crate) fn check_leftovers(&mut self, kill: u32, engine: &Engine) -> Result<()> {
        let began = Instant::now();
        let left = loop {
            let left = leftovers(engine)?;
            // Status comes first and tear-down later, by design: it gets a moment.
            if left.is_empty() || began.elapsed() > PATIENCE {
                break left;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        for what in left {
            self.add("E4", kill, what);
        }
        Ok(())
    }
}

/// What the main container has written, or what the API answers instead. A container runs before its first word is
/// in its log: that word gets a moment.
async fn said_by_main(client: &Client, pod: &str) -> String {
    let path = format!("/api/v1/namespaces/default/pods/{pod}/log?container=main");
    let began = Instant::now();
    loop {
        let said = match http::Request::get(&path).body(Vec::new()) {
            Ok(request) => client.request_text(request).await.unwrap_or_else(|error| format!("no log: {error}")),
            Err(error) => return error.to_string(),
        };
        if said.contains("start main\n") || began.elapsed() > PATIENCE {
            return said;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn doubled(said: &str) -> bool {
    let lines: Vec<&str> = said.lines().collect();
    lines.iter().enumerate().any(|(index, line)| lines[..index].contains(line))
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    ["/status/initContainerStatuses", "/status/containerStatuses"]
        .into_iter()
        .filter_map(|pointer| pod.pointer(pointer).and_then(Value::as_array))
        .flatten()
}

/// Everything on this machine that only a pod of this engine could have left.
fn leftovers(engine: &Engine) -> Result<Vec<String>> {
    let mut left = Vec::new();
    let data = engine.data.display().to_string();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let line = String::from_utf8_lossy(&std::fs::read(path.join("cmdline")).unwrap_or_default()).replace('\0', " ");
        if line.contains("__pod") && line.contains(&data) {
            left.push(format!("process {}: {line}", path.display()));
        }
        if line.contains("/work/order") {
            left.push(format!("container process {}: {line}", path.display()));
        }
    }
    for directory in ["pods", "logs"] {
        let directory = engine.data.join("runtime").join(directory);
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            left.push(format!("directory {}", entry?.path().display()));
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    left.extend(mounts.lines().filter(|line| line.contains(&data)).map(|line| format!("mount {line}")));
    Ok(left)
}
