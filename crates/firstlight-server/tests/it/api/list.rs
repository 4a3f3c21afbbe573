//! GET of collections: consistent, selected, in pages; and what `resourceVersion` means.

use super::{CONFIGMAPS, Cluster, PODS, ask, at, config_map, pod};
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().expect("items").iter().map(|item| at(item, "/metadata/name")).collect()
}

async fn with_config_maps(count: usize) -> Cluster {
    let cluster = Cluster::start().await;
    for n in 0..count {
        let mut map = config_map(&format!("c{n}"), json!({"n": n.to_string()}));
        map["metadata"]["labels"] = json!({"parity": if n % 2 == 0 { "even" } else { "odd" }});
        cluster.post(CONFIGMAPS, map).await.expect(201);
    }
    cluster
}

#[tokio::test]
async fn a_list_has_the_revision_it_was_read_at_and_items_their_own() {
    let cluster = with_config_maps(3).await;
    let list = cluster.get(CONFIGMAPS).await.expect(200);
    assert_eq!((at(&list, "/kind"), at(&list, "/apiVersion")), ("ConfigMapList", "v1"));
    assert_eq!(names(&list), ["c0", "c1", "c2"]);
    assert_eq!(at(&list, "/metadata/resourceVersion"), cluster.store.revision().0.to_string());
    assert_ne!(at(&list, "/items/0/metadata/resourceVersion"), at(&list, "/metadata/resourceVersion"));
    let empty = cluster.get("/api/v1/nodes").await.expect(200);
    assert_eq!((empty["items"].clone(), at(&empty, "/kind")), (json!([]), "NodeList"));
}

#[tokio::test]
async fn selectors_select() {
    let cluster = with_config_maps(4).await;
    let even = cluster.get(&format!("{CONFIGMAPS}?labelSelector=parity%3Deven")).await.expect(200);
    assert_eq!(names(&even), ["c0", "c2"]);
    let one = cluster.get(&format!("{CONFIGMAPS}?fieldSelector=metadata.name%3Dc1")).await.expect(200);
    assert_eq!(names(&one), ["c1"]);
    let refused = cluster.get(&format!("{PODS}?fieldSelector=spec.nonsense%3D1")).await.failure();
    assert_eq!(refused.0, 400, "{}", refused.2);
    assert_eq!(cluster.get(&format!("{PODS}?labelSelector=a%3D%3D%3Db")).await.failure().0, 400);
}

#[tokio::test]
async fn pages_are_of_one_state_whatever_is_written_between() {
    let cluster = with_config_maps(5).await;
    let first = cluster.get(&format!("{CONFIGMAPS}?limit=2")).await.expect(200);
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["c0", "c1"], &json!(3)));
    cluster.delete(&format!("{CONFIGMAPS}/c3")).await.expect(200);
    cluster.post(CONFIGMAPS, config_map("c2a", json!({}))).await.expect(201);
    let token = at(&first, "/metadata/continue");
    let second = cluster.get(&format!("{CONFIGMAPS}?limit=2&continue={token}")).await.expect(200);
    assert_eq!(names(&second), ["c2", "c3"]);
    assert_eq!(at(&second, "/metadata/resourceVersion"), at(&first, "/metadata/resourceVersion"));
    let token = at(&second, "/metadata/continue");
    let third = cluster.get(&format!("{CONFIGMAPS}?limit=2&continue={token}")).await.expect(200);
    assert_eq!((names(&third), third["metadata"].get("continue")), (vec!["c4"], None));

    let exact =
        format!("{CONFIGMAPS}?resourceVersionMatch=Exact&resourceVersion={}", at(&first, "/metadata/resourceVersion"));
    assert_eq!(names(&cluster.get(&exact).await.expect(200)), ["c0", "c1", "c2", "c3", "c4"]);
}

#[tokio::test]
async fn with_a_selector_nobody_knows_how_much_is_left() {
    let cluster = with_config_maps(5).await;
    let page = cluster.get(&format!("{CONFIGMAPS}?limit=1&labelSelector=parity%3Deven")).await.expect(200);
    assert_eq!((names(&page), page["metadata"].get("remainingItemCount")), (vec!["c0"], None));
    assert_ne!(at(&page, "/metadata/continue"), "");
}

#[tokio::test]
async fn an_expired_page_is_410_with_a_token_for_the_rest() {
    let cluster = with_config_maps(4).await;
    let first = cluster.get(&format!("{CONFIGMAPS}?limit=2")).await.expect(200);
    cluster.post(CONFIGMAPS, config_map("c9", json!({}))).await.expect(201);
    cluster.pass(301);
    let token = at(&first, "/metadata/continue");
    let gone = cluster.get(&format!("{CONFIGMAPS}?limit=2&continue={token}")).await;
    assert_eq!((gone.failure().0, gone.failure().1.as_str()), (410, "Expired"));
    let token = gone.json()["metadata"]["continue"].as_str().expect("a token").to_owned();
    let rest = cluster.get(&format!("{CONFIGMAPS}?continue={token}")).await.expect(200);
    assert_eq!(names(&rest), ["c2", "c3", "c9"]);
    assert_eq!(cluster.get(&format!("{CONFIGMAPS}?continue=nonsense")).await.failure().0, 400);
}

#[tokio::test]
async fn resource_versions_mean_what_upstream_says() {
    let cluster = with_config_maps(1).await;
    let now = cluster.store.revision().0;
    let old = now - 1;
    let future = now + 1000;
    for (query, code) in [
        ("resourceVersion=0".to_owned(), 200),
        (format!("resourceVersion={old}"), 200),
        (format!("resourceVersion={old}&resourceVersionMatch=NotOlderThan"), 200),
        (format!("resourceVersion={now}&resourceVersionMatch=Exact"), 200),
        (format!("resourceVersion={old}&resourceVersionMatch=Exact"), 410),
        (format!("resourceVersion={future}"), 504),
        ("resourceVersion=x".to_owned(), 400),
        ("resourceVersionMatch=Exact".to_owned(), 422),
        ("resourceVersion=0&resourceVersionMatch=Exact".to_owned(), 422),
        (format!("resourceVersion={now}&resourceVersionMatch=Exact&continue=x"), 422),
        ("resourceVersion=1&resourceVersionMatch=Newest".to_owned(), 422),
        ("sendInitialEvents=true".to_owned(), 422),
        ("limit=x".to_owned(), 400),
    ] {
        let reply = cluster.get(&format!("{CONFIGMAPS}?{query}")).await;
        assert_eq!(reply.code, code, "{query}: {:?}", reply.text);
    }
    let future = cluster.get(&format!("{CONFIGMAPS}/c0?resourceVersion={future}")).await;
    assert_eq!(future.failure().1, "Timeout");
    assert_eq!(at(&future.json(), "/details/causes/0/message"), "Too large resource version");
    assert_eq!(future.headers["retry-after"], "1");
    let words = cluster.get(&format!("{CONFIGMAPS}?resourceVersionMatch=Exact")).await.failure().2;
    assert_eq!(
        words,
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden \
         unless resourceVersion is provided"
    );
}

#[tokio::test]
async fn a_collection_is_deleted_as_far_as_it_is_selected() {
    let cluster = with_config_maps(4).await;
    let gone = cluster.delete(&format!("{CONFIGMAPS}?labelSelector=parity%3Dodd")).await.expect(200);
    assert_eq!((at(&gone, "/kind"), names(&gone)), ("ConfigMapList", vec!["c1", "c3"]));
    assert_eq!(names(&cluster.get(CONFIGMAPS).await.expect(200)), ["c0", "c2"]);
}

#[tokio::test]
async fn all_namespaces_are_listed_together() {
    let cluster = Cluster::start().await;
    cluster.post(PODS, pod("a")).await.expect(201);
    cluster.post("/api/v1/namespaces/kube-public/pods", pod("b")).await.expect(201);
    assert_eq!(names(&cluster.get("/api/v1/pods").await.expect(200)), ["a", "b"]);
    let refused = cluster.send(ask("DELETE", "/api/v1/pods", None)).await.failure();
    assert_eq!(refused.0, 405);
}
