//! What the API itself costs: `cargo run --release -p firstlight-server --example requests -- DIR`.
//!
//! Asks in process, one request after another, and prints medians and 99th percentiles in microseconds. On a
//! memory file system (`DIR` below `/dev/shm`) writes cost no fsync, so what is left is the API's own share.

use bytes::Bytes;
use firstlight_api::powers::Powers;
use firstlight_server::api::{Api, Config};
use firstlight_server::caller::{Caller, MASTERS};
use firstlight_server::console::NothingRuns;
use firstlight_store::Store;
use http::Request;
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 500;
const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("usage: requests DIR"))?);
    let config = Config {
        store: Store::open(&dir)?,
        console: Arc::new(NothingRuns),
        node: "alone".to_owned(),
        powers: Powers::default(),
        clock: Arc::new(Timestamp::now),
        stop: CancellationToken::new(),
    };
    let api = Api::new(config);
    api.make_system_namespaces().await?;
    measure("POST ConfigMap", &api, |n| ("POST", MAPS.to_owned(), "application/json", map(n))).await?;
    measure("GET ConfigMap", &api, |n| ("GET", format!("{MAPS}/m{n}"), "", Value::Null)).await?;
    let merge = "application/merge-patch+json";
    measure("PATCH merge", &api, |n| ("PATCH", format!("{MAPS}/m{n}"), merge, json!({"data": {"b": "2"}}))).await?;
    let apply = "application/apply-patch+yaml";
    let applied = |n| ("PATCH", format!("{MAPS}/m{n}?fieldManager=me&force=true"), apply, map(n));
    measure("PATCH apply", &api, applied).await?;
    measure("POST Pod", &api, |n| ("POST", PODS.to_owned(), "application/json", pod(n))).await?;
    let status = |n| {
        let status = json!({"status": {"phase": "Running", "podIP": "10.0.0.1"}});
        ("PATCH", format!("{PODS}/p{n}/status"), "application/strategic-merge-patch+json", status)
    };
    measure("PATCH Pod status", &api, status).await?;
    measure("LIST 500 ConfigMaps", &api, |_| ("GET", MAPS.to_owned(), "", Value::Null)).await?;
    measure("LIST 500 Pods", &api, |_| ("GET", PODS.to_owned(), "", Value::Null)).await?;
    let rss = std::fs::read_to_string("/proc/self/status")?;
    println!("{}", rss.lines().find(|line| line.starts_with("VmRSS")).unwrap_or(""));
    Ok(())
}

type Asked = (&'static str, String, &'static str, Value);

async fn measure(what: &str, api: &Api, ask: impl Fn(usize) -> Asked) -> anyhow::Result<()> {
    let mut times: Vec<Duration> = Vec::new();
    for n in 0..ROUNDS {
        let (method, path, content_type, body) = ask(n);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let builder = Request::builder().method(method).uri(path).header("content-type", content_type);
        let request = builder.body(Full::<Bytes>::from(body))?;
        let began = Instant::now();
        let response = api.handle(Caller::new("admin", [MASTERS]), request).await;
        let (parts, body) = response.into_parts();
        let text = body.collect().await?.to_bytes();
        times.push(began.elapsed());
        anyhow::ensure!(parts.status.is_success(), "{}", String::from_utf8_lossy(&text));
    }
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_micros();
    println!("{what:<24} {:>8} us p50 {:>8} us p99", at(50), at(99));
    Ok(())
}

fn map(n: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("m{n}")}, "data": {"a": "1"}})
}

fn pod(n: usize) -> Value {
    let container = |name: String| {
        json!({
            "name": name, "image": "example.com/app:1", "command": ["/bin/true"],
            "env": [{"name": "A", "value": "1"}], "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        })
    };
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("p{n}"), "labels": {"app": "p"}},
        "spec": {
            "initContainers": [container("i1".to_owned()), container("i2".to_owned()), container("i3".to_owned())],
            "containers": [container("main".to_owned())],
            "volumes": [{"name": "v", "emptyDir": {}}],
        },
    })
}
