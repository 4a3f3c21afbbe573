//! The whole, against an API in memory: watches in, requests out.

use crate::api::Api;
use firstlight_workloads::{Settings, run_with};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

fn run(api: &Api) -> Running {
    let stop = CancellationToken::new();
    let settings = Settings { root_ca: Some("PEM".to_owned()) };
    let task = tokio::spawn(run_with(api.client(), settings, stop.clone()));
    Running { stop, task }
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn set(replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": { "name": "web", "namespace": "a", "generation": 1 },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": "web" } }, "template": {
            "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "main", "image": "x:1" }] } } } })
}

fn ready(mut pod: Value) -> Value {
    pod["status"] = json!({ "phase": "Running", "podIP": "10.0.0.1", "conditions": [
        { "type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T12:00:00Z" }] });
    pod
}

async fn pod(api: &Api, name: &str) -> Value {
    api.until(name, |api| api.get("pods", "a", name)).await
}

async fn event(api: &Api, message: &str) -> Value {
    api.until(message, |api| api.list("events").into_iter().find(|e| e["message"] == message)).await
}

#[tokio::test]
async fn a_set_comes_up_in_order_is_told_and_goes_with_what_it_owns() {
    let api = Api::new();
    let running = run(&api);
    api.store("statefulsets", set(2));
    let first = pod(&api, "web-0").await;
    assert_eq!(api.get("pods", "a", "web-1"), None, "STS-3");
    api.store("pods", ready(first));
    let second = pod(&api, "web-1").await;
    api.store("pods", ready(second));
    api.until("both are ready", |api| {
        let status = api.get("statefulsets", "a", "web")?["status"].clone();
        (status["readyReplicas"] == 2 && status["currentRevision"] == status["updateRevision"]).then_some(())
    })
    .await;

    let told = event(&api, "create Pod web-1 in StatefulSet web successful").await;
    assert_eq!(
        (&told["reason"], &told["type"], &told["count"]),
        (&json!("SuccessfulCreate"), &json!("Normal"), &json!(1))
    );
    assert_eq!(told["involvedObject"]["kind"], "StatefulSet");
    assert_eq!(told["source"]["component"], "statefulset-controller");

    api.remove("statefulsets", "a", "web");
    api.until("its pods are gone", |api| api.list("pods").is_empty().then_some(())).await;
    api.until("its history is gone", |api| api.list("controllerrevisions").is_empty().then_some(())).await;
    let deletes = api.requests("DELETE pods");
    assert_eq!(deletes.len(), 2, "{deletes:?}");
    assert!(
        deletes[0].contains(r#""preconditions":{"uid":"#) && deletes[0].contains(r#""propagationPolicy":"Background""#)
    );
    running.end().await;
}

#[tokio::test]
async fn what_fails_is_told_and_tried_again() {
    let api = Api::new();
    api.refuse("POST pods", 403, "pods \"web-0\" is forbidden: quota");
    let running = run(&api);
    api.store("statefulsets", set(1));
    pod(&api, "web-0").await;
    let told =
        event(&api, "create Pod web-0 in StatefulSet web failed error: pods \"web-0\" is forbidden: quota").await;
    assert_eq!((&told["reason"], &told["type"]), (&json!("FailedCreate"), &json!("Warning")));
    event(&api, "create Pod web-0 in StatefulSet web successful").await;
    running.end().await;
}

#[tokio::test]
async fn slices_follow_pods_and_accounts_follow_namespaces() {
    let api = Api::new();
    api.store("namespaces", json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "a" }, "spec": { "finalizers": ["kubernetes"] } }));
    api.store(
        "services",
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "a" },
        "spec": { "clusterIP": "None", "selector": { "app": "web" } } }),
    );
    let running = run(&api);
    api.until("an empty slice", |api| (api.list("endpointslices").len() == 1).then_some(())).await;
    api.store("pods", ready(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "namespace": "a", "labels": { "app": "web" } } })));
    api.until("an endpoint", |api| {
        (api.list("endpointslices")[0]["endpoints"][0]["conditions"]["ready"] == true).then_some(())
    })
    .await;
    api.until("the account", |api| api.get("serviceaccounts", "a", "default")).await;
    let certificate = api.until("the certificate", |api| api.get("configmaps", "a", "kube-root-ca.crt")).await;
    assert_eq!(certificate["data"]["ca.crt"], "PEM");

    let mut namespace = api.get("namespaces", "", "a").unwrap();
    namespace["metadata"]["deletionTimestamp"] = json!("2026-11-20T12:00:00Z");
    api.store("namespaces", namespace);
    api.until("it is gone", |api| api.get("namespaces", "", "a").is_none().then_some(())).await;
    assert!(api.list("pods").is_empty() && api.list("endpointslices").is_empty() && api.list("services").is_empty());
    let finalize = api.requests("PUT namespaces");
    assert!(
        finalize.last().unwrap().starts_with("PUT namespaces a/finalize")
            && finalize.last().unwrap().contains(r#""finalizers":[]"#)
    );
    running.end().await;
}

#[tokio::test]
async fn an_owner_is_asked_for_before_what_it_owns_is_collected() {
    let api = Api::new();
    let map = |name: &str, uid: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "a", "uid": uid } });
    let owned = |name: &str, owner: &str| {
        let owner = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": format!("uid-{owner}") });
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": "a", "ownerReferences": [owner] } })
    };
    api.store_unseen("configmaps", map("unseen", "uid-unseen"));
    api.store_unseen("configmaps", map("other", "another-uid"));
    api.store("secrets", owned("1-kept", "unseen"));
    api.store("secrets", owned("2-lost", "gone"));
    api.store("secrets", owned("3-lost-too", "other"));
    let running = run(&api);
    for lost in ["2-lost", "3-lost-too"] {
        api.until(lost, |api| api.get("secrets", "a", lost).is_none().then_some(())).await;
    }
    // Questions are asked in the order of names, so this one had its turn.
    api.store("secrets", owned("0-last", "gone"));
    api.until("the last one", |api| api.get("secrets", "a", "0-last").is_none().then_some(())).await;
    assert!(api.get("secrets", "a", "1-kept").is_some());
    running.end().await;
}

#[tokio::test]
async fn a_write_that_came_too_late_does_not_hold_up_the_rest_of_the_round() {
    let api = Api::new();
    api.refuse("PUT statefulsets", 409, "the object has been modified");
    let running = run(&api);
    api.store("statefulsets", set(1));
    pod(&api, "web-0").await;
    let writes = api.requests("");
    let place = |prefix: &str| writes.iter().position(|line| line.starts_with(prefix));
    assert!(place("PUT statefulsets") < place("POST pods"), "{writes:?}");
    assert_eq!(writes.iter().take_while(|l| !l.starts_with("POST pods")).filter(|l| l.starts_with("PUT")).count(), 1);
    running.end().await;
}
