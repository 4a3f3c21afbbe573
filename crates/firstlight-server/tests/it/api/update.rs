//! PUT: preconditions, what stays, what counts as a change.

use super::{CONFIGMAPS, Cluster, PODS, at, config_map, pod};
use serde_json::json;

#[tokio::test]
async fn val_28_a_stale_revision_is_a_conflict_and_none_is_unconditional() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    let first = cluster.post(CONFIGMAPS, config_map("a", json!({"k": "1"}))).await.expect(201);
    let mut next = first.clone();
    next["data"]["k"] = json!("2");
    let second = cluster.put(&path, next.clone()).await.expect(200);
    assert_ne!(at(&first, "/metadata/resourceVersion"), at(&second, "/metadata/resourceVersion"));
    assert_eq!(at(&first, "/metadata/uid"), at(&second, "/metadata/uid"));
    let stale = cluster.put(&path, next).await.failure();
    let words = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your \
                 changes to the latest version and try again";
    assert_eq!(stale, (409, "Conflict".to_owned(), words.to_owned()));
    assert_eq!(cluster.put(&path, config_map("a", json!({"k": "3"}))).await.expect(200)["data"]["k"], "3");
    let mut other = config_map("a", json!({}));
    other["metadata"]["uid"] = json!("another");
    assert_eq!(cluster.put(&path, other).await.failure().0, 409);
}

#[tokio::test]
async fn writing_what_is_there_makes_no_revision() {
    let cluster = Cluster::start().await;
    let made = cluster.post(PODS, pod("web")).await.expect(201);
    let before = cluster.store.revision();
    let path = format!("{PODS}/web");
    assert_eq!(cluster.put(&path, made.clone()).await.expect(200), made);
    assert_eq!(cluster.patch(&path, "merge-patch", json!({})).await.expect(200), made);
    let mut quoted = made.clone();
    quoted["metadata"]["labels"] = json!({});
    quoted["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
    assert_eq!(cluster.put(&path, quoted).await.expect(200), made);
    assert_eq!(cluster.store.revision(), before);
}

#[tokio::test]
async fn generations_count_changes_of_what_is_asked_for() {
    let cluster = Cluster::start().await;
    let sets = "/apis/apps/v1/namespaces/default/statefulsets";
    let set = json!({
        "metadata": {"name": "s"},
        "spec": {
            "serviceName": "s", "replicas": 1, "selector": {"matchLabels": {"app": "s"}},
            "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    });
    let made = cluster.post(sets, set).await.expect(201);
    assert_eq!(made["metadata"]["generation"], 1);
    let path = format!("{sets}/s");
    let labelled = cluster.patch(&path, "merge-patch", json!({"metadata": {"labels": {"a": "b"}}})).await.expect(200);
    assert_eq!(labelled["metadata"]["generation"], 1);
    let lied = cluster.patch(&path, "merge-patch", json!({"metadata": {"generation": 7}})).await.expect(200);
    assert_eq!(lied["metadata"]["generation"], 1);
    let scaled = cluster.patch(&path, "merge-patch", json!({"spec": {"replicas": 3}})).await.expect(200);
    assert_eq!(scaled["metadata"]["generation"], 2);
}

#[tokio::test]
async fn the_main_resource_does_not_change_status() {
    let cluster = Cluster::start().await;
    let mut made = cluster.post(PODS, pod("web")).await.expect(201);
    made["status"] = json!({"phase": "Running"});
    made["metadata"]["labels"] = json!({"a": "b"});
    let updated = cluster.put(&format!("{PODS}/web"), made).await.expect(200);
    assert_eq!((at(&updated, "/status/phase"), at(&updated, "/metadata/labels/a")), ("Pending", "b"));
}

#[tokio::test]
async fn what_identifies_an_object_does_not_change() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    let made = cluster.post(CONFIGMAPS, config_map("a", json!({}))).await.expect(201);
    let mut moved = made.clone();
    moved["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    let refused = cluster.put(&path, moved).await.failure();
    assert_eq!((refused.0, refused.2.contains("field is immutable")), (422, true), "{}", refused.2);
    let mut renamed = made;
    renamed["metadata"]["name"] = json!("b");
    let refused = cluster.put(&path, renamed).await.failure();
    assert_eq!(
        (refused.0, refused.2.as_str()),
        (400, "the name of the object (b) does not match the name on the URL (a)")
    );
    assert_eq!(cluster.put(&format!("{CONFIGMAPS}/none"), config_map("none", json!({}))).await.failure().0, 404);
}

#[tokio::test]
async fn a_lease_is_made_by_put_and_then_needs_its_revision() {
    let cluster = Cluster::start().await;
    let path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/here";
    let lease = json!({"metadata": {"name": "here"}, "spec": {"holderIdentity": "here", "leaseDurationSeconds": 40}});
    let made = cluster.put(path, lease.clone()).await.expect(201);
    let refused = cluster.put(path, lease).await.failure();
    assert_eq!((refused.0, refused.2.contains("must be specified for an update")), (422, true), "{}", refused.2);
    let mut renewed = made;
    renewed["spec"]["renewTime"] = json!("2026-11-20T10:00:01.000001Z");
    let renewed = cluster.put(path, renewed).await.expect(200);
    assert_eq!(at(&renewed, "/spec/renewTime"), "2026-11-20T10:00:01.000001Z");
}

#[tokio::test]
async fn fifty_writers_without_a_revision_lose_no_update() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIGMAPS, config_map("a", json!({}))).await.expect(201);
    let path = format!("{CONFIGMAPS}/a");
    let patches = (0..10).map(|n| {
        let patch = json!({"data": {n.to_string(): "here"}});
        cluster.patch(&path, "merge-patch", patch)
    });
    for reply in futures::future::join_all(patches).await {
        reply.expect(200);
    }
    let data = cluster.get(&path).await.expect(200)["data"].clone();
    assert_eq!(data.as_object().map(serde_json::Map::len), Some(10));
}
