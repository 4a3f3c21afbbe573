//! The four-pod network: a leader that serves its state, three followers that wait for it, each with two init
//! steps. Every container writes its own line into the pod's volume, and the main container prints the file.

use crate::engine::{Engine, IMAGE};
use anyhow::{Result, bail};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The pods' names.
const PODS: [&str; 4] = ["leader", "follower-0", "follower-1", "follower-2"];

/// How much of the network there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of it.
    Network,
    /// Its leader alone, for rounds that are many.
    Leader,
}

impl Shape {
    fn pods(self) -> &'static [&'static str] {
        match self {
            Shape::Network => &PODS,
            Shape::Leader => &PODS[..1],
        }
    }
}

/// A write the API has answered with success: kind and name.
pub(crate) type Acknowledged = Vec<(&'static str, String)>;

/// Posts the network and then ConfigMaps, one after the other, until `limit` after `began`; what was acknowledged.
pub(crate) async fn post(engine: &Engine, shape: Shape, kill: u32, limit: Duration, began: Instant) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    let Ok(client) = engine.client() else { return acknowledged };
    let work = async {
        for object in objects(shape) {
            let kind = if object["kind"] == "Service" { "Service" } else { "Pod" };
            if create(&client, kind, &object).await.is_ok() {
                acknowledged.push((kind, object["metadata"]["name"].as_str().unwrap_or_default().to_owned()));
            }
        }
        for number in 0.. {
            let name = format!("write-{kill}-{number}");
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": number.to_string()}});
            if create(&client, "ConfigMap", &object).await.is_ok() {
                acknowledged.push(("ConfigMap", name));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = tokio::time::timeout(limit.saturating_sub(began.elapsed()), work).await;
    acknowledged
}

async fn create(client: &Client, kind: &str, object: &Value) -> Result<(), kube::Error> {
    let object: DynamicObject = serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
    api(client, kind).create(&PostParams::default(), &object).await.map(drop)
}

/// Posts what the kill kept from being posted, and waits until every pod is Ready.
pub(crate) async fn finish(
    engine: &Engine,
    shape: Shape,
    acknowledged: &Acknowledged,
    limit: Duration,
) -> Result<bool> {
    let client = engine.client()?;
    for object in objects(shape) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let kind = if object["kind"] == "Service" { "Service" } else { "Pod" };
        match create(&client, kind, &object).await {
            Ok(()) if acknowledged.iter().any(|(of, known)| *of == kind && known == name) => {
                bail!("E1: {kind} {name} was acknowledged and is gone")
            }
            Ok(()) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error.into()),
        }
    }
    let began = Instant::now();
    while !is_whole(engine, shape).await {
        if began.elapsed() > limit {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(true)
}

/// Whether all its pods are Ready.
pub(crate) async fn is_whole(engine: &Engine, shape: Shape) -> bool {
    let Ok(client) = engine.client() else { return false };
    let Ok(pods) = api(&client, "Pod").list(&ListParams::default()).await else { return false };
    let ready = |pod: &&DynamicObject| {
        let conditions = pod.data.pointer("/status/conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
    };
    pods.items.iter().filter(ready).count() == shape.pods().len()
}

/// Deletes everything the round made and waits until the pods are gone.
pub(crate) async fn delete(engine: &Engine, shape: Shape, limit: Duration) -> Result<()> {
    let client = engine.client()?;
    for name in shape.pods() {
        let _ = api(&client, "Pod").delete(name, &DeleteParams::default()).await;
    }
    let _ = api(&client, "Service").delete("leader", &DeleteParams::default()).await;
    api(&client, "ConfigMap").delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    let began = Instant::now();
    while !api(&client, "Pod").list(&ListParams::default()).await?.items.is_empty() {
        if began.elapsed() > limit {
            bail!("E4: deleted pods are still there");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Objects of a kind in the default namespace.
pub(crate) fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), "default", &ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind)))
}

fn objects(shape: Shape) -> Vec<Value> {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "leader"},
        "spec": {"clusterIP": "None", "selector": {"app": "leader"}, "ports": [{"port": 8080}]}});
    let mut objects = vec![service, pod("leader", &step("make", "true"), LEADER)];
    let wait = step("wait", "until wget -qO /work/state http://leader:8080/; do sleep 0.05; done");
    objects.extend(shape.pods()[1..].iter().map(|name| pod(name, &wait, FOLLOWER)));
    objects
}

/// One step: says that it starts, works, says that it ends.
fn step(name: &str, work: &str) -> String {
    format!("echo start {name} >> /work/order; {work}; echo end {name} >> /work/order")
}

const LEADER: &str = "echo start main >> /work/order; cat /work/order; mkdir -p /work/www; \
    echo state > /work/www/index.html; httpd -f -p 8080 -h /work/www & trap 'exit 0' TERM; wait";
const FOLLOWER: &str = "echo start main >> /work/order; cat /work/order; sleep 100000 & trap 'exit 0' TERM; wait";

fn pod(name: &str, first: &str, main: &str) -> Value {
    let container = |container: &str, script: &str| {
        json!({"name": container, "image": IMAGE, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", script],
               "volumeMounts": [{"name": "work", "mountPath": "/work"}]})
    };
    let mut main = container("main", main);
    if name == "leader" {
        main["readinessProbe"] = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1});
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "volumes": [{"name": "work", "emptyDir": {}}],
            "initContainers": [container("first", first), container("second", &step("second", "sleep 0.05"))],
            "containers": [main]}})
}
