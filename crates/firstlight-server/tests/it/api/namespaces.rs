//! Namespaces: who is there from the beginning, and how one goes.

use super::{CONFIGMAPS, Cluster, at};
use serde_json::json;

#[tokio::test]
async fn the_system_namespaces_are_there_and_the_chief_ones_stay() {
    let cluster = Cluster::start().await;
    cluster.api.make_system_namespaces().await.expect("a second time");
    for name in ["default", "kube-system", "kube-public"] {
        let refused = cluster.delete(&format!("/api/v1/namespaces/{name}")).await.failure();
        let words = format!("namespaces {name:?} is forbidden: this namespace may not be deleted");
        assert_eq!(refused, (403, "Forbidden".to_owned(), words));
    }
    let default = cluster.get("/api/v1/namespaces/default").await.expect(200);
    assert_eq!(
        (at(&default, "/status/phase"), at(&default, "/metadata/labels/kubernetes.io~1metadata.name")),
        ("Active", "default")
    );
}

#[tokio::test]
async fn a_namespace_goes_when_its_finalizers_agree() {
    let cluster = Cluster::start().await;
    let path = "/api/v1/namespaces/other";
    let made = cluster.post("/api/v1/namespaces", json!({"metadata": {"name": "other"}})).await.expect(201);
    assert_eq!(made["spec"]["finalizers"], json!(["kubernetes"]));
    let leaving = cluster.delete(path).await.expect(200);
    assert_eq!(
        (at(&leaving, "/status/phase"), at(&leaving, "/metadata/deletionTimestamp")),
        ("Terminating", super::BEGINNING)
    );
    assert_eq!(cluster.delete(path).await.expect(200), leaving);
    let mut emptied = leaving.clone();
    emptied["spec"] = json!({});
    emptied["metadata"]["labels"] = json!({"not": "changed"});
    let last = cluster.put(&format!("{path}/finalize"), emptied).await.expect(200);
    assert_eq!(last["metadata"]["labels"], leaving["metadata"]["labels"]);
    assert_eq!(cluster.get(path).await.failure().0, 404);
}

#[tokio::test]
async fn deleting_a_namespaces_content_is_possible_while_it_goes() {
    let cluster = Cluster::start().await;
    cluster.post("/api/v1/namespaces", json!({"metadata": {"name": "other"}})).await.expect(201);
    let maps = CONFIGMAPS.replace("default", "other");
    cluster.post(&maps, super::config_map("a", json!({}))).await.expect(201);
    cluster.delete("/api/v1/namespaces/other").await.expect(200);
    let patch = json!({"data": {"still": "writable"}});
    cluster.patch(&format!("{maps}/a"), "merge-patch", patch).await.expect(200);
    cluster.delete(&format!("{maps}/a")).await.expect(200);
}
