//! DELETE: at once, gracefully, with finalizers, with preconditions.

use super::{CONFIGMAPS, Cluster, PODS, ask, at, config_map, pod};
use serde_json::{Value, json};

async fn running(cluster: &Cluster, name: &str) -> String {
    cluster.post(PODS, pod(name)).await.expect(201);
    format!("{PODS}/{name}")
}

fn grace(object: &Value) -> (i64, &str) {
    (object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(-1), at(object, "/metadata/deletionTimestamp"))
}

#[tokio::test]
async fn what_needs_no_grace_is_gone_at_once() {
    let cluster = Cluster::start().await;
    let made = cluster.post(CONFIGMAPS, config_map("a", json!({}))).await.expect(201);
    let path = format!("{CONFIGMAPS}/a");
    assert_eq!(at(&cluster.delete(&format!("{path}?dryRun=All")).await.expect(200), "/status"), "Success");
    let gone = cluster.delete(&path).await.expect(200);
    assert_eq!((at(&gone, "/kind"), at(&gone, "/status")), ("Status", "Success"));
    assert_eq!(gone["details"], json!({"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}));
    assert_eq!(cluster.delete(&path).await.failure().2, "configmaps \"a\" not found");
}

#[tokio::test]
async fn trm_1_and_trm_2_a_pod_gets_its_grace_which_a_second_deletion_only_shortens() {
    let cluster = Cluster::start().await;
    let path = running(&cluster, "web").await;
    let marked = cluster.delete(&path).await.expect(200);
    assert_eq!(grace(&marked), (30, "2026-11-20T10:00:30Z"));
    assert_eq!(marked["metadata"]["generation"], 2);
    let before = cluster.store.revision();
    for query in ["", "?gracePeriodSeconds=60", "?gracePeriodSeconds=30"] {
        assert_eq!(cluster.delete(&format!("{path}{query}")).await.expect(200), marked);
    }
    assert_eq!(cluster.store.revision(), before);
    let hastened = cluster.delete(&format!("{path}?gracePeriodSeconds=10")).await.expect(200);
    assert_eq!(grace(&hastened), (10, "2026-11-20T10:00:10Z"));
    assert_eq!(hastened["metadata"]["generation"], 2);
    let gone = cluster.delete(&format!("{path}?gracePeriodSeconds=0")).await.expect(200);
    assert_eq!(at(&gone, "/kind"), "Pod");
    assert_eq!(cluster.get(&path).await.failure().0, 404);
}

#[tokio::test]
async fn trm_1_a_pod_that_cannot_be_running_gets_no_grace() {
    let cluster = Cluster::start().await;
    let mut gated = pod("gated");
    gated["spec"]["schedulingGates"] = json!([{"name": "example.com/wait"}]);
    cluster.post(PODS, gated).await.expect(201);
    cluster.delete(&format!("{PODS}/gated")).await.expect(200);
    assert_eq!(cluster.get(&format!("{PODS}/gated")).await.failure().0, 404);

    let path = running(&cluster, "done").await;
    cluster
        .patch(&format!("{path}/status"), "merge-patch", json!({"status": {"phase": "Succeeded"}}))
        .await
        .expect(200);
    cluster.delete(&path).await.expect(200);
    assert_eq!(cluster.get(&path).await.failure().0, 404);
    let path = running(&cluster, "negative").await;
    assert_eq!(grace(&cluster.delete(&format!("{path}?gracePeriodSeconds=-5")).await.expect(200)).0, 1);
}

#[tokio::test]
async fn finalizers_keep_an_object_until_the_last_is_gone_and_none_is_added() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    let mut asked = config_map("a", json!({}));
    asked["metadata"]["finalizers"] = json!(["example.com/one", "example.com/two"]);
    cluster.post(CONFIGMAPS, asked).await.expect(201);
    let marked = cluster.delete(&path).await.expect(200);
    assert_eq!(grace(&marked), (0, super::BEGINNING));
    assert_eq!(cluster.delete(&path).await.expect(200), marked);
    let only = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    let refused = cluster.patch(&path, "merge-patch", only(json!(["example.com/three"]))).await.failure();
    assert_eq!((refused.0, refused.2.contains("no new finalizers can be added")), (422, true), "{}", refused.2);
    cluster.patch(&path, "merge-patch", only(json!(["example.com/two"]))).await.expect(200);
    let last = cluster.patch(&path, "merge-patch", only(json!([]))).await.expect(200);
    assert_eq!(last["metadata"].get("finalizers"), None);
    assert_eq!(cluster.get(&path).await.failure().0, 404);
}

#[tokio::test]
async fn a_pod_with_finalizers_waits_for_its_grace_and_for_them() {
    let cluster = Cluster::start().await;
    let mut asked = pod("web");
    asked["metadata"]["finalizers"] = json!(["example.com/one"]);
    cluster.post(PODS, asked).await.expect(201);
    let path = format!("{PODS}/web");
    assert_eq!(grace(&cluster.delete(&path).await.expect(200)).0, 30);
    let ended = cluster.delete(&format!("{path}?gracePeriodSeconds=0")).await.expect(200);
    assert_eq!(grace(&ended), (0, super::BEGINNING));
    cluster.get(&path).await.expect(200);
    cluster.patch(&path, "merge-patch", json!({"metadata": {"finalizers": null}})).await.expect(200);
    assert_eq!(cluster.get(&path).await.failure().0, 404);
}

#[tokio::test]
async fn finalizers_removed_within_the_grace_do_not_end_it() {
    let cluster = Cluster::start().await;
    let mut asked = pod("web");
    asked["metadata"]["finalizers"] = json!(["example.com/one"]);
    cluster.post(PODS, asked).await.expect(201);
    let path = format!("{PODS}/web");
    cluster.delete(&path).await.expect(200);
    cluster.patch(&path, "merge-patch", json!({"metadata": {"finalizers": null}})).await.expect(200);
    cluster.get(&path).await.expect(200);
}

#[tokio::test]
async fn what_becomes_of_dependents_is_left_as_a_finalizer() {
    let cluster = Cluster::start().await;
    let finalizers = |object: &Value| object["metadata"]["finalizers"].clone();
    for (query, left) in [
        ("propagationPolicy=Foreground", json!(["foregroundDeletion"])),
        ("propagationPolicy=Orphan", json!(["orphan"])),
        ("orphanDependents=true", json!(["orphan"])),
    ] {
        let path = format!("{CONFIGMAPS}/{}", query.to_lowercase().replace(['=', '%'], "-"));
        let name = path.rsplit('/').next().expect("a name");
        cluster.post(CONFIGMAPS, config_map(name, json!({}))).await.expect(201);
        let reply = cluster.delete(&format!("{path}?{query}")).await;
        assert_eq!(finalizers(&reply.json()), left, "{query}");
        assert_eq!(reply.code.as_u16(), if query.contains("Foreground") { 202 } else { 200 });
        cluster.delete(&format!("{path}?propagationPolicy=Background")).await.expect(200);
        assert_eq!(cluster.get(&path).await.failure().0, 404);
    }
    for query in ["propagationPolicy=Sideways", "propagationPolicy=Orphan&orphanDependents=true"] {
        assert_eq!(cluster.delete(&format!("{CONFIGMAPS}/a?{query}")).await.failure().0, 422, "{query}");
    }
}

#[tokio::test]
async fn preconditions_hold_or_nothing_happens() {
    let cluster = Cluster::start().await;
    let path = running(&cluster, "web").await;
    let with = |preconditions: Value| {
        let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": preconditions});
        cluster.send(ask("DELETE", &path, Some(body)))
    };
    let refused = with(json!({"uid": "another"})).await.failure();
    assert_eq!((refused.0, refused.2.contains("the UID in the precondition (another)")), (409, true), "{}", refused.2);
    assert_eq!(with(json!({"resourceVersion": "1"})).await.failure().0, 409);
    let metadata = cluster.get(&path).await.expect(200)["metadata"].clone();
    with(json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]})).await.expect(200);
    assert_eq!(cluster.get(&path).await.failure().0, 404);
}
