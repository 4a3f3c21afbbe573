//! Kubernetes Events: what people are told, each thing once, repeats counted (EVT-11).

use super::now_ms;
use crate::act::{Event, Told};
use crate::world::uid;
use firstlight_api::time;
use firstlight_api::view::View;
use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How many different things are remembered as told; beyond it all are forgotten, and told anew if they happen again.
const REMEMBERED: usize = 1024;
/// How soon the same may be told again.
const QUIET_MS: u64 = 10_000;

/// Tells people. Cheap to clone; all clones are one recorder.
#[derive(Clone)]
pub(super) struct Recorder {
    client: Client,
    /// Shared by all hands, so that a repeat is found whoever tells it; held for a look-up only.
    told: Arc<Mutex<HashMap<String, Record>>>,
}

/// An event that was told.
#[derive(Debug, Clone)]
struct Record {
    path: String,
    count: u64,
    at_ms: u64,
}

impl Recorder {
    pub(super) fn new(client: Client) -> Recorder {
        Recorder { client, told: Arc::default() }
    }

    /// Tells how a request ended; nothing if what it asked for was already so.
    pub(super) async fn outcome(&self, told: Option<Told>, answer: &Result<Value, kube::Error>) {
        let Some(Told { done, mut failed }) = told else { return };
        match answer {
            Ok(_) => self.record(done, 0).await,
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(kube::Error::Api(status)) => {
                failed.message.push_str(&status.message);
                self.once(failed).await;
            }
            Err(error) => {
                failed.message.push_str(&error.to_string());
                self.once(failed).await;
            }
        }
    }

    /// Tells it, unless the same was told a moment ago.
    pub(super) async fn once(&self, event: Event) {
        self.record(event, QUIET_MS).await;
    }

    /// Records an event, or counts it up if it was told before; not if that is less than `quiet_ms` ago. That it cannot
    /// be recorded is logged and nothing more.
    async fn record(&self, event: Event, quiet_ms: u64) {
        let now = now_ms();
        let same = format!("{} {} {}", uid(&event.about), event.reason, event.message);
        let before = {
            let mut told = self.told.lock().await;
            if told.len() >= REMEMBERED {
                told.clear();
            }
            told.get(&same).cloned()
        };
        let record = match before {
            Some(record) if now.saturating_sub(record.at_ms) < quiet_ms => return,
            Some(record) => self.again(record, now).await,
            None => None,
        };
        let record = match record {
            Some(record) => Some(record),
            None => self.anew(&event, now).await,
        };
        if let Some(record) = record {
            self.told.lock().await.insert(same, record);
        }
    }

    async fn again(&self, record: Record, now: u64) -> Option<Record> {
        let count = record.count.saturating_add(1);
        let patch = json!({ "count": count, "lastTimestamp": time::write(time::Now(now)) });
        let sent = self.send(Method::PATCH, &record.path, &patch).await;
        sent.then_some(Record { count, at_ms: now, ..record })
    }

    async fn anew(&self, event: &Event, now: u64) -> Option<Record> {
        let Event { about, component, warning, reason, message } = event;
        let metadata = about.object("metadata");
        let namespace = metadata.text_some("namespace").unwrap_or("default");
        // Named as upstream names them: after the object, with the time as a number that does not repeat.
        let name = format!("{}.{:x}", metadata.text("name"), u128::from(now) * 1_000_000 + u128::from(unique()));
        let at = time::write(time::Now(now));
        let object = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": name, "namespace": namespace },
            "involvedObject": {
                "apiVersion": about.text("apiVersion"), "kind": about.text("kind"), "namespace": metadata.text("namespace"),
                "name": metadata.text("name"), "uid": metadata.text("uid"), "resourceVersion": metadata.text("resourceVersion"),
            },
            "type": if *warning { "Warning" } else { "Normal" }, "reason": reason, "message": message,
            "source": { "component": component }, "reportingComponent": component,
            "firstTimestamp": at, "lastTimestamp": at, "count": 1,
        });
        let path = format!("/api/v1/namespaces/{namespace}/events");
        let sent = self.send(Method::POST, &path, &object).await;
        sent.then(|| Record { path: format!("{path}/{name}"), count: 1, at_ms: now })
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> bool {
        let content = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let request = Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, content);
        let Ok(request) = request.body(body.to_string().into_bytes()) else { return false };
        match self.client.request::<Value>(request).await {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, path, "an event was not recorded");
                false
            }
        }
    }
}

/// A number that differs from every other of this process.
fn unique() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 1_000_000
}
