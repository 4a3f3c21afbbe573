//! What did the API tell, version by version? One watch per engine keeps all of it, through restarts of the engine.

use super::diary;
use futures::StreamExt;
use http::Request;
use kube::Client;
use kube::core::WatchEvent;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long the watch waits before it asks an engine again that did not answer.
const AGAIN: Duration = Duration::from_millis(20);

/// A pod's versions, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) versions: Vec<Value>,
    pub(crate) gone: bool,
}

/// All pods of an engine. Written by the watch, read by the scenes.
#[derive(Clone, Default)]
pub(crate) struct Watched {
    pods: Arc<Mutex<BTreeMap<String, Told>>>,
    /// Where the scenes' directories are, each with the name of its pod.
    scenes: PathBuf,
}

impl Watched {
    pub(crate) fn new(scenes: PathBuf) -> Watched {
        Watched { pods: Arc::default(), scenes }
    }

    /// What was told of this pod.
    pub(crate) fn of(&self, pod: &str) -> Told {
        self.pods.lock().unwrap().get(pod).cloned().unwrap_or_default()
    }

    /// Whether this pod, or one of the set of this name, is still there.
    pub(crate) fn lives(&self, name: &str) -> bool {
        let pods = self.pods.lock().unwrap();
        pods.iter().any(|(pod, told)| !told.gone && (pod == name || set_of(pod) == Some(name)))
    }

    /// Watches until dropped.
    pub(crate) async fn run(self, client: Client) {
        loop {
            if let Ok(revision) = self.list(&client).await {
                self.follow(&client, revision).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn list(&self, client: &Client) -> kube::Result<String> {
        let list: Value = client.request(get("/api/v1/namespaces/default/pods")).await?;
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        let here: BTreeSet<String> = pods.iter().map(name).collect();
        let gone: Vec<String> = self.pods.lock().unwrap().keys().filter(|pod| !here.contains(*pod)).cloned().collect();
        for pod in pods {
            self.changed(pod);
        }
        for pod in gone {
            self.gone(&pod);
        }
        Ok(list["metadata"]["resourceVersion"].as_str().unwrap_or("").to_owned())
    }

    /// Follows the watch, and takes it up again where it broke off, until the engine does not know that place any more.
    async fn follow(&self, client: &Client, mut revision: String) {
        loop {
            let path = format!("/api/v1/namespaces/default/pods?watch=true&resourceVersion={revision}");
            let stream = match client.request_events::<Value>(get(&path)).await {
                Ok(stream) => stream,
                Err(kube::Error::Api(_)) => return,
                Err(_) => {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                let Ok(event) = event else { break };
                match event {
                    WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                        revision = version(&pod);
                        self.changed(pod);
                    }
                    WatchEvent::Deleted(pod) => {
                        revision = version(&pod);
                        self.gone(&name(&pod));
                    }
                    WatchEvent::Bookmark(_) => {}
                    WatchEvent::Error(_) => return,
                }
            }
        }
    }

    fn changed(&self, mut pod: Value) {
        pod["metadata"]["managedFields"].take();
        let mut pods = self.pods.lock().unwrap();
        let told = pods.entry(name(&pod)).or_default();
        // A set makes its pods anew under the same names.
        told.gone = false;
        if told.versions.last().map(version) != Some(version(&pod)) {
            told.versions.push(pod);
        }
    }

    fn gone(&self, pod: &str) {
        let mut pods = self.pods.lock().unwrap();
        let told = pods.entry(pod.to_owned()).or_default();
        let diary = |scene: &str| self.scenes.join(scene).join("log");
        let of_set = set_of(pod).map(diary).filter(|file| file.exists());
        if !told.gone && diary(pod).exists() {
            diary::note(&diary(pod), "pod", "gone");
        } else if let Some(file) = of_set.filter(|_| !told.gone) {
            diary::note(&file, pod, "gone");
        }
        told.gone = true;
    }
}

/// The set that a pod of this name would belong to.
fn set_of(pod: &str) -> Option<&str> {
    let (set, ordinal) = pod.rsplit_once('-')?;
    ordinal.bytes().all(|byte| byte.is_ascii_digit()).then_some(set)
}

/// A plain GET.
pub(crate) fn get(path: &str) -> Request<Vec<u8>> {
    Request::get(path).body(Vec::new()).unwrap()
}

fn name(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().unwrap_or("").to_owned()
}

fn version(pod: &Value) -> String {
    pod["metadata"]["resourceVersion"].as_str().unwrap_or("").to_owned()
}
