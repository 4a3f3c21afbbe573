//! What are people told as Kubernetes Events? Writes reports about pods as `v1` Event objects: repeats are counted
//! on one object (EVT-11), and an event lives an hour (EVT-13).

use crate::clock::Clock;
use firstlight_api::object::{Key, resources, text};
use firstlight_api::time;
use firstlight_pod::report::Report;
use firstlight_pod::{Now, PodId, Spec};
use firstlight_store::{Expect, Store, Write};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long an event lives (upstream default of `--event-ttl`).
const TTL_MS: u64 = 3600 * 1000;

/// How often events that have lived long enough are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Reports that may wait to be written; more are dropped and counted in the log: events are advice, pods are not
/// held up for them.
const BACKLOG: usize = 1024;

/// A report, and the pod it is about.
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

/// The node's recorder: all pods' reports are written by one task, in order.
#[derive(Debug, Clone)]
pub(crate) struct Recorders {
    told: mpsc::Sender<Told>,
    clock: Clock,
}

impl Recorders {
    pub(crate) fn start(node: String, store: Store, clock: Clock, stop: CancellationToken) -> Recorders {
        let (told, heard) = mpsc::channel(BACKLOG);
        tokio::spawn(Book { node, store, clock, known: HashMap::new(), number: clock.now().0 }.run(heard, stop));
        Recorders { told, clock }
    }

    /// The recorder of one pod.
    pub(crate) fn of(&self, spec: &Spec) -> Recorder {
        let fields = spec.containers().map(|container| {
            let init = spec.inits.iter().any(|init| init.container().name == container.name);
            let list = if init { "initContainers" } else { "containers" };
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
            self.tell(report, Source::Kubelet);
        }
    }

    /// Tells that the pod was given to this node (EVT-9).
    pub(crate) fn scheduled(&self, node: &str) {
        let PodId { namespace, name, uid: _ } = &self.pod;
        let message = format!("Successfully assigned {namespace}/{name} to {node}");
        self.tell(Report { warning: false, reason: "Scheduled", message, container: None }, Source::Scheduler);
    }

    fn tell(&self, report: Report, source: Source) {
        let field = report.container.as_ref().and_then(|name| self.fields.get(name)).cloned().unwrap_or_default();
        let told = Told { pod: self.pod.clone(), field, report, source, at: self.book.clock.now() };
        if self.book.told.try_send(told).is_err() {
            tracing::warn!(pod = self.pod.name, "an event was dropped: too many wait to be written");
        }
    }
}

/// What makes two reports the same event.
type Same = (String, String, &'static str, String, Source);

struct Book {
    node: String,
    store: Store,
    clock: Clock,
    /// The object each known event is counted on.
    known: HashMap<Same, Key>,
    /// Makes names unique, also across restarts: begins at the time of the start.
    number: u64,
}

impl Book {
    async fn run(mut self, mut heard: mpsc::Receiver<Told>, stop: CancellationToken) {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                told = heard.recv() => match told {
                    Some(told) => self.write(told).await,
                    None => return,
                },
                _ = sweep.tick() => self.sweep().await,
            }
        }
    }

    async fn write(&mut self, told: Told) {
        let same =
            (told.pod.uid.clone(), told.field.clone(), told.report.reason, told.report.message.clone(), told.source);
        if let Some(key) = self.known.get(&same)
            && self.count(key, told.at).await
        {
            return;
        }
        self.number += 1;
        let name = format!("{}.{:016x}", told.pod.name, self.number);
        let key = Key::new(resources::EVENTS, told.pod.namespace.clone(), name);
        let value = self.event(&told, &key.name);
        // An event that cannot be written is advice lost; the pod's status says the same.
        if self.store.commit(Write { key: key.clone(), expect: Expect::Absent, value: Some(value) }).await.is_ok() {
            self.known.insert(same, key);
        }
    }

    /// Counts a repeat on the event's object; false if that object is gone.
    async fn count(&self, key: &Key, at: Now) -> bool {
        let Some(object) = self.store.get(key) else { return false };
        let mut value = object.value.clone();
        let count = value.get("count").and_then(Value::as_u64).unwrap_or(1);
        value["count"] = json!(count + 1);
        value["lastTimestamp"] = json!(time::write(at));
        let write = Write { key: key.clone(), expect: Expect::At(object.revision), value: Some(value) };
        self.store.commit(write).await.is_ok()
    }

    fn event(&self, told: &Told, name: &str) -> Value {
        let Told { pod, field, report, source, at } = told;
        let at = time::write(*at);
        let mut about =
            json!({"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid});
        if !field.is_empty() {
            about["fieldPath"] = json!(field);
        }
        let (component, host) = match source {
            Source::Kubelet => ("kubelet", json!({"component": "kubelet", "host": self.node})),
            Source::Scheduler => ("default-scheduler", json!({"component": "default-scheduler"})),
        };
        json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": pod.namespace, "creationTimestamp": at, "uid": event_uid(self.number)},
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

/// A UID in the form of RFC 9562 version 8, from the event's number: unique among events of this engine.
fn event_uid(number: u64) -> String {
    let (high, low) = (number >> 32, number & 0xffff_ffff);
    format!("{high:08x}-{:04x}-8000-8000-{:012x}", low >> 16, low)
}
