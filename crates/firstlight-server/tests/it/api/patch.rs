//! PATCH: the three dialects, and what is refused.

use super::{CONFIGMAPS, Cluster, PODS, ask, at, config_map, pod};
use http::header;
use serde_json::json;

#[tokio::test]
async fn three_dialects_change_an_object() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    cluster.post(CONFIGMAPS, config_map("a", json!({"k": "1", "l": "1"}))).await.expect(201);
    let merged = cluster.patch(&path, "merge-patch", json!({"data": {"k": null, "m": "1"}})).await.expect(200);
    assert_eq!(merged["data"], json!({"l": "1", "m": "1"}));
    let operations =
        json!([{"op": "test", "path": "/data/l", "value": "1"}, {"op": "replace", "path": "/data/l", "value": "2"}]);
    let changed = cluster.patch(&path, "json-patch", operations.clone()).await.expect(200);
    assert_eq!(at(&changed, "/data/l"), "2");
    let refused = cluster.patch(&path, "json-patch", operations).await.failure();
    assert_eq!((refused.0, refused.1.as_str()), (422, "Invalid"));

    cluster.post(PODS, pod("web")).await.expect(201);
    let patch = json!({"spec": {"containers": [{"name": "main", "image": "firstlight.local/toolbox"}]}});
    let changed = cluster.patch(&format!("{PODS}/web"), "strategic-merge-patch", patch).await.expect(200);
    assert_eq!(at(&changed, "/spec/containers/0/image"), "firstlight.local/toolbox");
    assert_eq!(changed["spec"]["containers"].as_array().map(Vec::len), Some(1));
    assert_ne!(at(&changed, "/spec/containers/0/terminationMessagePath"), "");
    assert_eq!(changed["metadata"]["generation"], 2);
}

#[tokio::test]
async fn a_patch_that_names_a_revision_is_for_that_one_alone() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    let made = cluster.post(CONFIGMAPS, config_map("a", json!({"k": "1"}))).await.expect(201);
    let patch =
        |k: &str| json!({"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"k": k}});
    cluster.patch(&path, "merge-patch", patch("2")).await.expect(200);
    assert_eq!(cluster.patch(&path, "merge-patch", patch("3")).await.failure().0, 409);
}

#[tokio::test]
async fn what_is_no_patch_of_this_object_is_refused() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    cluster.post(CONFIGMAPS, config_map("a", json!({"k": "1"}))).await.expect(201);
    for (patch, code) in [
        (json!({"metadata": {"name": "b"}}), 400),
        (json!({"metadata": {"namespace": "b"}}), 400),
        (json!({"kind": "Secret"}), 400),
        (json!({"metadata": {"uid": "b"}}), 409),
        (json!({"data": {"k": 5}}), 400),
        (json!({"data": {"no spaces": "x"}}), 422),
    ] {
        let reply = cluster.patch(&path, "merge-patch", patch.clone()).await;
        assert_eq!(reply.failure().0, code, "{patch}: {}", reply.failure().2);
    }
    assert_eq!(cluster.patch(&format!("{CONFIGMAPS}/none"), "merge-patch", json!({})).await.failure().0, 404);
    let strict = cluster.patch(&format!("{path}?fieldValidation=Strict"), "merge-patch", json!({"dat": {}})).await;
    assert!(strict.failure().2.contains("unknown field \"dat\""));
    let mut twice = ask("PATCH", &format!("{path}?fieldValidation=Strict"), None);
    twice.headers_mut().insert(header::CONTENT_TYPE, "application/merge-patch+json".parse().expect("a media type"));
    *twice.body_mut() = r#"{"data": {"k": "1", "k": "2"}}"#.into();
    let refused = cluster.send(twice).await.failure();
    assert_eq!((refused.0, refused.2.contains("duplicate field \"data.k\"")), (400, true), "{}", refused.2);
    let warned = cluster.patch(&format!("{path}?dryRun=All"), "merge-patch", json!({"dat": {}})).await;
    assert_eq!(warned.warnings(), ["299 - \"unknown field \\\"dat\\\"\""]);
}
