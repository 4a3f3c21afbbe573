//! The API, asked in process: one file for each verb or topic of Kubernetes' API.

mod apply;
mod create;
mod delete;
mod discovery;
mod forms;
mod list;
mod namespaces;
mod patch;
mod subresources;
mod update;
mod watch;

use bytes::Bytes;
use firstlight_server::api::{Api, Config};
use firstlight_server::body::Body;
use firstlight_server::caller::{Caller, MASTERS};
use firstlight_server::console::NothingRuns;
use firstlight_store::{Options, Store};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// An API over a store of its own, at a time of its own.
pub(crate) struct Cluster {
    pub(crate) api: Api,
    pub(crate) store: Store,
    time: Arc<Mutex<Timestamp>>,
    pub(crate) stop: CancellationToken,
    _dir: tempfile::TempDir,
}

/// When tests begin.
pub(crate) const BEGINNING: &str = "2026-11-20T10:00:00Z";

impl Cluster {
    pub(crate) async fn start() -> Cluster {
        Cluster::remembering(Options::default()).await
    }

    /// With so much history for watches.
    pub(crate) async fn remembering(options: Options) -> Cluster {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open_with(dir.path(), options).expect("a store");
        let time = Arc::new(Mutex::new(BEGINNING.parse().expect("a time")));
        let (clock, stop) = (Arc::clone(&time), CancellationToken::new());
        let api = Api::new(Config {
            store: store.clone(),
            console: Arc::new(NothingRuns),
            node: "here".to_owned(),
            powers: firstlight_api::powers::Powers::default(),
            clock: Arc::new(move || *clock.lock().expect("a clock")),
            stop: stop.clone(),
        });
        api.make_system_namespaces().await.expect("namespaces");
        Cluster { api, store, time, stop, _dir: dir }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        *self.time.lock().expect("a clock") += SignedDuration::from_secs(seconds);
    }

    pub(crate) fn caller() -> Caller {
        Caller::new("admin", [MASTERS])
    }

    pub(crate) async fn answer(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        self.api.handle(Cluster::caller(), request).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        Reply::read(self.answer(request).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(ask("GET", path, None)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(ask("POST", path, Some(body))).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(ask("PUT", path, Some(body))).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(ask("DELETE", path, None)).await
    }

    /// PATCH as `application/{kind}+json`.
    pub(crate) async fn patch(&self, path: &str, kind: &str, body: Value) -> Reply {
        let mut request = ask("PATCH", path, Some(body));
        let media_type = format!("application/{kind}+json").parse().expect("a media type");
        request.headers_mut().insert(header::CONTENT_TYPE, media_type);
        self.send(request).await
    }
}

/// A request with a JSON body.
pub(crate) fn ask(method: &str, path: &str, body: Option<Value>) -> Request<Full<Bytes>> {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Full::from(body))
        .expect("a request")
}

/// An answer that has ended.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: Bytes,
}

impl Reply {
    async fn read(response: Response<Body>) -> Reply {
        let (parts, body) = response.into_parts();
        let text = body.collect().await.expect("a body").to_bytes();
        Reply { code: parts.status, headers: parts.headers, text }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The object, if the answer has this code.
    pub(crate) fn expect(&self, code: u16) -> Value {
        assert_eq!(self.code.as_u16(), code, "{}", String::from_utf8_lossy(&self.text));
        self.json()
    }

    /// What failed: code, reason and message.
    pub(crate) fn failure(&self) -> (u16, String, String) {
        let status = self.json();
        assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(self.code.as_u16())), "{status}");
        let text = |field: &str| status[field].as_str().unwrap_or("").to_owned();
        (self.code.as_u16(), text("reason"), text("message"))
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.headers.get_all("warning").iter().map(|value| value.to_str().expect("text").to_owned()).collect()
    }
}

/// Text at a path of an object.
pub(crate) fn at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(crate) const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";

pub(crate) fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "example.com/app:1"}]},
    })
}

pub(crate) fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}
