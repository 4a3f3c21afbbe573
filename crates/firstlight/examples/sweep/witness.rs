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

    /// Says what was broken in the rounds that are not named yet.
    pub(crate) fn name_since(&mut self, round: u32, what: &str) {
        for (_, _, said) in self.found.iter_mut().filter(|(_, of, _)| *of == round) {
            *said = format!("{what}: {said}");
        }
    }

    /// E2 and E3 where sandboxes may have been replaced: within one walk through the steps each comes after the one before,
    /// and a step that is done is done again in a newer sandbox only.
    pub(crate) async fn check_rounds(&mut self, kill: u32, engine: &Engine) -> Result<()> {
        let client = engine.client()?;
        for pod in api(&client, "Pod").list(&ListParams::default()).await?.items {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            let said = said_by_main(&client, &name).await;
            match walks(&said) {
                Ok(walks) => {
                    let sandboxes = newest_sandbox(engine, &uid) + 1;
                    if walks > sandboxes {
                        self.add("E3", kill, format!("{name}: {walks} walks in {sandboxes} sandboxes: {said:?}"));
                    }
                }
                Err(wrong) => self.add("E2", kill, format!("{name}: {wrong} in {said:?}")),
            }
        }
        // The server forks itself for each connection.
        let serving = processes()?.into_iter().filter(|(path, line)| line.starts_with(SERVER) && !forked(path)).count();
        if serving > 1 {
            self.add("E5", kill, format!("{serving} main containers serve one pod"));
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

/// The leader's server, as the kernel lists it.
const SERVER: &str = "httpd -f -p 8080 -h /work/www";

/// How many times the steps were walked through from the first on, or what is out of order.
fn walks(said: &str) -> Result<usize, String> {
    let (mut walks, mut done) = (1, 0);
    for line in said.lines() {
        // Steps that must be done before this one may start.
        let before = match line {
            "start make" if done > 0 => {
                (walks, done) = (walks + 1, 0);
                0
            }
            "start make" => 0,
            "end make" => {
                done = done.max(1);
                continue;
            }
            "start second" => 1,
            "end second" => {
                done = done.max(2);
                continue;
            }
            "start main" => 2,
            other => return Err(format!("{other:?}")),
        };
        if done < before {
            return Err(format!("{line:?} comes too early"));
        }
    }
    Ok(walks)
}

/// The generation of a pod's newest sandbox.
fn newest_sandbox(engine: &Engine, uid: &str) -> usize {
    let dir = engine.data.join("runtime/pods").join(uid);
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.strip_prefix("sandbox-")?.parse().ok()).max().unwrap_or(0)
}

/// Whether a process is a child of the server.
fn forked(path: &str) -> bool {
    let status = std::fs::read_to_string(format!("{path}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).map(str::trim).unwrap_or_default();
    std::fs::read(format!("/proc/{parent}/cmdline")).is_ok_and(|line| line.starts_with(b"httpd\0"))
}

/// Every process on this machine: its directory in `/proc` and its command.
fn processes() -> Result<Vec<(String, String)>> {
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let line = String::from_utf8_lossy(&std::fs::read(path.join("cmdline")).unwrap_or_default()).replace('\0', " ");
        processes.push((path.display().to_string(), line));
    }
    Ok(processes)
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
    for (path, line) in processes()? {
        // A pod's own process has the roots of its containers mounted, which name the data directory.
        let mounts = || std::fs::read_to_string(format!("{path}/mountinfo")).unwrap_or_default();
        if line.contains("__pod") && mounts().contains(&data) {
            left.push(format!("process {path}: {line}"));
        }
        if line.contains("/work/order") || line.starts_with(SERVER) {
            left.push(format!("container process {path}: {line}"));
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
