//! Where scenes are played: an engine, a client of its API, a directory for the scenes' diaries.

use super::layouts::{IMAGE, Layouts, TAGS};
use super::outside::Outside;
use super::sessions;
use super::watched::{Watched, get};
use crate::harness::{Engine, assert_ok, firstlight};
use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// An engine for scenes.
pub(crate) struct Stage {
    /// Killed and started by scenes that have a stage of their own; the others only ask it.
    engine: Mutex<Engine>,
    client: Client,
    pub(crate) watched: Watched,
    outside: Arc<Outside>,
    scenes: PathBuf,
    watch: JoinHandle<()>,
}

impl Stage {
    /// An engine with these flags more than every scene needs.
    pub(crate) async fn open(flags: Vec<String>, outside: Arc<Outside>) -> Stage {
        let known = outside.clone();
        let engine = blocking(move || {
            let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            flags.push("--allow-host-path");
            if !flags.contains(&"--max-backoff") {
                flags.extend(["--max-backoff", "1s"]);
            }
            let mut engine = Engine::stopped_with(&flags);
            TAGS.iter().for_each(|tag| import(&engine, &known.layouts, tag));
            engine.run();
            engine
        });
        let engine = engine.await;
        let kubeconfig = Kubeconfig::read_from(engine.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let scenes = engine.scratch("scenes");
        std::fs::create_dir(&scenes).unwrap();
        let watched = Watched::new(scenes.clone());
        let watch = tokio::spawn(watched.clone().run(client.clone()));
        Stage { engine: Mutex::new(engine), client, watched, outside, scenes, watch }
    }

    /// Makes the directory of a scene, which its containers see as `/scene`, with an empty diary: anybody may write there.
    pub(crate) fn begin(&self, pod: &str) -> PathBuf {
        let directory = self.scenes.join(pod);
        std::fs::create_dir(&directory).unwrap();
        let diary = directory.join("log");
        std::fs::write(&diary, "").unwrap();
        self.outside.knows(pod, diary.clone());
        for (path, mode) in [(&directory, 0o777), (&diary, 0o666)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        directory
    }

    /// Asks the API; an error is its own words.
    pub(crate) async fn ask(&self, request: Request<Vec<u8>>) -> Result<Value, String> {
        self.client.request(request).await.map_err(|error| error.to_string())
    }

    /// Makes an object where it belongs.
    pub(crate) async fn create(&self, object: &Value) -> Result<Value, String> {
        self.try_create(object).await.map_err(|error| error.to_string())
    }

    /// The same, with all that the API says if it refuses.
    pub(crate) async fn try_create(&self, object: &Value) -> kube::Result<Value> {
        let word = |value: &Value, or: &str| value.as_str().unwrap_or(or).to_owned();
        let namespace = word(&object["metadata"]["namespace"], "default");
        let path = collection_in(&word(&object["kind"], ""), &namespace);
        let body = object.to_string().into_bytes();
        let request = Request::post(path).header("Content-Type", "application/json").body(body).unwrap();
        self.client.request(request).await
    }

    /// A merge patch.
    pub(crate) async fn patch(&self, path: &str, patch: &Value) -> Result<Value, String> {
        self.try_patch(path, patch).await.map_err(|error| error.to_string())
    }

    /// The same, with all that the API says if it refuses.
    pub(crate) async fn try_patch(&self, path: &str, patch: &Value) -> kube::Result<Value> {
        let body = patch.to_string().into_bytes();
        let request = Request::patch(path).header("Content-Type", "application/merge-patch+json");
        self.client.request(request.body(body).unwrap()).await
    }

    /// A strategic merge patch: conditions are merged by their type.
    pub(crate) async fn patch_strategically(&self, path: &str, patch: &Value) -> Result<Value, String> {
        let body = patch.to_string().into_bytes();
        let request = Request::patch(path).header("Content-Type", "application/strategic-merge-patch+json");
        self.ask(request.body(body).unwrap()).await
    }

    /// Puts an object in place of what is at this path.
    pub(crate) async fn replace(&self, path: &str, object: &Value) -> Result<Value, String> {
        let body = object.to_string().into_bytes();
        self.ask(Request::put(path).header("Content-Type", "application/json").body(body).unwrap()).await
    }

    /// Deletes what is at this path.
    pub(crate) async fn delete(&self, path: &str, grace: Option<u64>) -> Result<Value, String> {
        let options = grace.map_or_else(|| json!({}), |grace| json!({"gracePeriodSeconds": grace}));
        let request = Request::delete(path).header("Content-Type", "application/json");
        self.ask(request.body(options.to_string().into_bytes()).unwrap()).await
    }

    /// The events about a pod.
    pub(crate) async fn events(&self, pod: &str) -> Option<Value> {
        let path = format!("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name={pod}");
        self.ask(get(&path)).await.ok()
    }

    /// A container's log so far.
    pub(crate) async fn log(&self, pod: &str, container: &str) -> Option<String> {
        let path = format!("/api/v1/namespaces/default/pods/{pod}/log?container={container}");
        self.client.request_text(get(&path)).await.ok()
    }

    /// The same, over a WebSocket.
    pub(crate) async fn log_over_websocket(&self, pod: &str, container: &str) -> Option<String> {
        sessions::log(&self.client, pod, container).await
    }

    /// What a shell command in a container prints.
    pub(crate) async fn run_in(&self, pod: &str, container: &str, command: &str) -> Option<String> {
        sessions::run_in(&self.client, pod, container, command).await
    }

    /// Kills the engine as a crash would.
    pub(crate) fn kill_engine(&self) {
        self.engine.lock().unwrap().kill();
    }

    /// Starts it again.
    pub(crate) fn start_engine(&self) {
        tokio::task::block_in_place(|| self.engine.lock().unwrap().run());
    }

    /// Takes everything down.
    pub(crate) async fn close(self) {
        self.watch.abort();
        let began = std::time::Instant::now();
        blocking(move || drop(self.engine)).await;
        eprintln!("{:5.1} s  the engine goes down", began.elapsed().as_secs_f64());
    }
}

/// Where an object is.
pub(crate) fn place(kind: &str, namespace: &str, name: &str) -> String {
    format!("{}/{name}", collection_in(kind, namespace))
}

/// Where objects of a kind are, in the default namespace.
pub(crate) fn collection(kind: &str) -> String {
    collection_in(kind, "default")
}

fn collection_in(kind: &str, namespace: &str) -> String {
    match kind {
        "Namespace" | "namespace" => "/api/v1/namespaces".to_owned(),
        "StatefulSet" | "statefulset" => format!("/apis/apps/v1/namespaces/{namespace}/statefulsets"),
        kind => format!("/api/v1/namespaces/{namespace}/{}s", kind.to_lowercase()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Imports the scenes' image under this tag.
fn import(engine: &Engine, layouts: &Layouts, tag: &str) {
    let import = firstlight()
        .args(["image", "import", &format!("{IMAGE}:{tag}")])
        .arg(layouts.of(tag))
        .arg("--image-dir")
        .arg(engine.images())
        .output();
    assert_ok(&import.unwrap());
}
