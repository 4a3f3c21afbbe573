//! What are people told as Kubernetes Events? Writes reports about pods as `v1` Event objects: repeats are counted
//! on one object (EVT-11), and an event lives an hour (EVT-13).

use crate::clock::Clock;
use crate::machine;
use firstlight_api::object::{Key, resources, text};
use firstlight_api::time;
use firstlight_pod::report::Report;
use firstlight_pod::{Now, PodId, Spec};
use firstlight_store::{Expect, Store, Write};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long an event lives (upstream default of `--event-ttl`).
const TTL_MS: u64 = 3600 * 1000;

/// How often events that have lived long enough are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Reports that may wait to be written; more are dropped and counted in the log: events are advice, pods are not
/// held up for them.
const BACKLOG: usize = 1024;

/// Reports written at once: more than a pod's start makes.
const BATCH: usize = 64;

/// A report, and the pod it is about.
#[derive(Debug)]
struct Told {
    pod: PodId,
    /// `spec.containers{NAME}`, or empty for the pod.
    field: String,
    report: Report,
    source: Source,
    at: Now,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Kubelet,
    Scheduler,
}

impl Source {
    fn component(self) -> &'static str {
        match self {
            Source::Kubelet => "kubelet",
            Source::Scheduler => "default-scheduler",
        }
    }
}

/// The node's recorder: all pods' reports are written by one task, in order.
#[derive(Debug, Clone)]
pub(crate) struct Recorders {
    told: mpsc::Sender<Told>,
    clock: Clock,
}

/// Opens the book and hands out the pen. The book ends when every pen is gone and everything told is written.
pub(crate) fn open(node: String, store: Store, clock: Clock) -> (Book, Recorders) {
    let (told, heard) = mpsc::channel(BACKLOG);
    // Counting in nanoseconds from now: no two engines in a row give the same name, however fast they write.
    let number = clock.now().0.saturating_mul(1_000_000);
    let known = known(&store);
    (Book { node, store, clock, known, number, heard }, Recorders { told, clock })
}

impl Recorders {
    /// The recorder of one pod.
    pub(crate) fn of(&self, spec: &Spec) -> Recorder {
        let fields = spec.containers().map(|container| {
            let init = spec.inits.iter().any(|init| init.container().name == container.name);
            let main = spec.mains.iter().any(|main| main.name == container.name);
            let list = match (init, main) {
                (true, _) => "initContainers",
                (false, true) => "containers",
                (false, false) => "ephemeralContainers",
            };
            (container.name.clone(), format!("spec.{list}{{{}}}", container.name))
        });
        Recorder { book: self.clone(), pod: spec.id.clone(), fields: fields.collect() }
    }
}

/// One pod's recorder.
#[derive(Debug)]
pub(crate) struct Recorder {
    book: Recorders,
    pod: PodId,
    fields: HashMap<String, String>,
}

impl Recorder {
    /// Has these reports written.
    pub(crate) fn record(&self, reports: Vec<Report>) {
        for report in reports {
            let source = if report.reason == "FailedScheduling" { Source::Scheduler } else { Source::Kubelet };
            self.tell(report, source);
        }
    }

    /// Tells that the pod was given to this node (EVT-9).
    pub(crate) fn scheduled(&self, node: &str) {
        let PodId { namespace, name, uid: _ } = &self.pod;
        let message = format!("Successfully assigned {namespace}/{name} to {node}");
        self.tell(Report { warning: false, reason: "Scheduled", message, container: None }, Source::Scheduler);
    }

    fn tell(&self, report: Report, source: Source) {
        let field = report.container.as_ref().map_or(String::new(), |name| {
            // One that the pod did not have at first was added to look into it.
            let added = || format!("spec.ephemeralContainers{{{name}}}");
            self.fields.get(name).cloned().unwrap_or_else(added)
        });
        let told = Told { pod: self.pod.clone(), field, report, source, at: self.book.clock.now() };
        if self.book.told.try_send(told).is_err() {
            tracing::warn!(pod = self.pod.name, "an event was dropped: too many wait to be written");
        }
    }
}

/// What makes two reports the same event (EVT-11).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Same {
    uid: String,
    field: String,
    reason: String,
    message: String,
    component: String,
}

impl Same {
    fn of(told: &Told) -> Same {
        Same {
            uid: told.pod.uid.clone(),
            field: told.field.clone(),
            reason: told.report.reason.to_owned(),
            message: told.report.message.clone(),
            component: told.source.component().to_owned(),
        }
    }

    fn of_event(event: &Value) -> Same {
        let word = |path: &[&str]| text(event, path).to_owned();
        Same {
            uid: word(&["involvedObject", "uid"]),
            field: word(&["involvedObject", "fieldPath"]),
            reason: word(&["reason"]),
            message: word(&["message"]),
            component: word(&["reportingComponent"]),
        }
    }
}

/// The events that a predecessor wrote and that still live.
fn known(store: &Store) -> HashMap<Same, Key> {
    let events = store.list(resources::EVENTS, None).items;
    events.iter().map(|event| (Same::of_event(&event.value), event.key.clone())).collect()
}

/// Everything told, as it is written down.
pub(crate) struct Book {
    node: String,
    store: Store,
    clock: Clock,
    /// The object each known event is counted on.
    known: HashMap<Same, Key>,
    /// Makes names unique.
    number: u64,
    heard: mpsc::Receiver<Told>,
}

impl Book {
    pub(crate) async fn run(mut self) {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                many = self.heard.recv_many(&mut batch, BATCH) => {
                    if many == 0 {
                        return;
                    }
                    self.write(std::mem::take(&mut batch)).await;
                }
                _ = sweep.tick() => self.sweep().await,
            }
        }
    }

    /// Writes everything that waits at once, so that the store makes it durable at once.
    async fn write(&mut self, batch: Vec<Told>) {
        let mut repeats: Vec<(Same, Told, u64)> = Vec::new();
        for told in batch {
            let same = Same::of(&told);
            match repeats.iter_mut().find(|(known, _, _)| *known == same) {
                Some((_, first, count)) => (first.at, *count) = (told.at, *count + 1),
                None => repeats.push((same, told, 1)),
            }
        }
        let mut writes = Vec::new();
        for (same, told, count) in repeats {
            let write = self.known.get(&same).and_then(|key| self.counted(key, count, told.at));
            writes.push(match write {
                Some(write) => write,
                None => self.first(same, &told, count),
            });
        }
        // An event that cannot be written is advice lost; the pod's status says the same.
        futures::future::join_all(writes.into_iter().map(|write| self.store.commit(write))).await;
    }

    /// The event's object, counted on; `None` if it is gone.
    fn counted(&self, key: &Key, more: u64, at: Now) -> Option<Write> {
        let object = self.store.get(key)?;
        let mut value = object.value.clone();
        let count = value.get("count").and_then(Value::as_u64).unwrap_or(1);
        value["count"] = json!(count.saturating_add(more));
        value["lastTimestamp"] = json!(time::write(at));
        Some(Write { key: key.clone(), expect: Expect::At(object.revision), value: Some(value) })
    }

    fn first(&mut self, same: Same, told: &Told, count: u64) -> Write {
        self.number += 1;
        let name = format!("{}.{:016x}", told.pod.name, self.number);
        let key = Key::new(resources::EVENTS, told.pod.namespace.clone(), name);
        let mut value = self.event(told, &key.name);
        value["count"] = json!(count);
        self.known.insert(same, key.clone());
        Write { key, expect: Expect::Absent, value: Some(value) }
    }

    fn event(&self, told: &Told, name: &str) -> Value {
        let Told { pod, field, report, source, at } = told;
        let at = time::write(*at);
        let mut about =
            json!({"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid});
        if !field.is_empty() {
            about["fieldPath"] = json!(field);
        }
        let component = source.component();
        let host = match source {
            Source::Kubelet => json!({"component": component, "host": self.node}),
            Source::Scheduler => json!({"component": component}),
        };
        json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": pod.namespace, "creationTimestamp": at,
                         "uid": machine::uid(&self.clock)},
            "involvedObject": about,
            "type": if report.warning { "Warning" } else { "Normal" },
            "reason": report.reason, "message": report.message,
            "source": host, "reportingComponent": component,
            "reportingInstance": if *source == Source::Kubelet { self.node.as_str() } else { "" },
            "firstTimestamp": at, "lastTimestamp": at, "count": 1, "eventTime": null,
        })
    }

    /// Removes events that have lived long enough.
    async fn sweep(&mut self) {
        let now = self.clock.now();
        let old = |value: &Value| {
            let last = text(value, &["lastTimestamp"]);
            let last = if last.is_empty() { text(value, &["metadata", "creationTimestamp"]) } else { last };
            time::read(last).is_some_and(|at| now.since(at).0 > TTL_MS)
        };
        for object in self.store.list(resources::EVENTS, None).items {
            if old(&object.value) {
                let write = Write { key: object.key.clone(), expect: Expect::At(object.revision), value: None };
                // Counted again meanwhile: it lives on.
                let _ = self.store.commit(write).await;
            }
        }
        self.known.retain(|_, key| self.store.get(key).is_some());
    }
}
