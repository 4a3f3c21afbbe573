//! Server-side apply, and who owns what after the other writes.

use super::{CONFIGMAPS, Cluster, PODS, Reply, ask, at, config_map, pod};
use http::header;
use serde_json::{Value, json};

async fn apply(cluster: &Cluster, path: &str, query: &str, config: Value) -> Reply {
    let mut request = ask("PATCH", &format!("{path}?{query}"), Some(config));
    let media_type = "application/apply-patch+yaml".parse().expect("a media type");
    request.headers_mut().insert(header::CONTENT_TYPE, media_type);
    cluster.send(request).await
}

/// Who owns a field of the object: `manager operation subresource`.
fn owners(object: &Value, field: &str) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let owning = entries.filter(|entry| entry["fieldsV1"].pointer(field).is_some());
    owning
        .map(|entry| format!("{} {} {}", at(entry, "/manager"), at(entry, "/operation"), at(entry, "/subresource")))
        .collect()
}

#[tokio::test]
async fn applying_creates_then_changes_what_is_named_and_takes_back_what_is_not() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    let made =
        apply(&cluster, &path, "fieldManager=me", config_map("a", json!({"x": "1", "y": "1"}))).await.expect(201);
    assert_eq!(at(&made, "/metadata/uid").len(), 36);
    assert_eq!(owners(&made, "/f:data/f:x"), ["me Apply "]);
    cluster.pass(5);
    let again =
        apply(&cluster, &path, "fieldManager=me", config_map("a", json!({"x": "1", "y": "1"}))).await.expect(200);
    assert_eq!(again, made, "what changes nothing is no write");
    let less = apply(&cluster, &path, "fieldManager=me", config_map("a", json!({"x": "2"}))).await.expect(200);
    assert_eq!(less["data"], json!({"x": "2"}));
}

#[tokio::test]
async fn applying_what_only_defaults_complete_is_no_write_the_second_time() {
    let cluster = Cluster::start().await;
    let mut config = pod("web");
    // A reference is one whole, which the API completes with `apiVersion: v1`.
    config["spec"]["containers"][0]["env"] =
        json!([{"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    let path = format!("{PODS}/web");
    let made = apply(&cluster, &path, "fieldManager=me", config.clone()).await.expect(201);
    assert_eq!(at(&made, "/spec/containers/0/env/0/valueFrom/fieldRef/apiVersion"), "v1");
    cluster.pass(5);
    assert_eq!(apply(&cluster, &path, "fieldManager=me", config).await.expect(200), made);
}

#[tokio::test]
async fn who_replaces_with_a_list_of_one_empty_manager_makes_them_all_forgotten() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    let made = apply(&cluster, &path, "fieldManager=me", config_map("a", json!({"x": "1"}))).await.expect(201);
    let kept = cluster.put(&path, config_map("a", json!({"x": "1"}))).await.expect(200);
    assert_eq!(kept, made, "who knows nothing of managers loses none");
    let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]);
    let forgotten = cluster.patch(&path, "json-patch", patch).await.expect(200);
    assert_eq!(forgotten["metadata"].get("managedFields"), None);
    let changed = cluster.patch(&path, "merge-patch", json!({"data": {"x": "2"}})).await.expect(200);
    assert_eq!(changed["metadata"].get("managedFields"), None, "nobody is made up before the next apply");
    let applied = apply(&cluster, &path, "fieldManager=me", config_map("a", json!({"x": "2"}))).await.expect(200);
    assert_eq!(owners(&applied, "/f:data/f:x"), ["me Apply ", "before-first-apply Update "]);
}

#[tokio::test]
async fn what_is_written_below_an_object_is_owned_there() {
    let cluster = Cluster::start().await;
    let sets = "/apis/apps/v1/namespaces/default/statefulsets";
    let labels = json!({"app": "s"});
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
        "spec": {"serviceName": "s", "replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}},
    });
    let made = cluster.post(&format!("{sets}?fieldManager=me"), set).await.expect(201);
    assert_eq!(owners(&made, "/f:spec/f:replicas"), ["me Update "]);
    let path = format!("{sets}/s");
    let scale = json!({"spec": {"replicas": 3}});
    cluster.patch(&format!("{path}/scale?fieldManager=scaler"), "merge-patch", scale).await.expect(200);
    let scaled = cluster.get(&path).await.expect(200);
    assert_eq!(owners(&scaled, "/f:spec/f:replicas"), ["scaler Update scale"]);
    let status = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
        "spec": {"replicas": 9}, "status": {"replicas": 3}});
    let applied = apply(&cluster, &format!("{path}/status"), "fieldManager=ctl", status).await.expect(200);
    assert_eq!((&applied["spec"]["replicas"], &applied["status"]["replicas"]), (&json!(3), &json!(3)));
    assert_eq!(owners(&applied, "/f:status/f:replicas"), ["ctl Apply status"]);
    assert_eq!(owners(&applied, "/f:spec/f:replicas"), ["scaler Update scale"]);
}

#[tokio::test]
async fn a_field_of_somebody_elses_is_a_conflict_unless_forced() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    apply(&cluster, &path, "fieldManager=me", config_map("a", json!({"x": "1"}))).await.expect(201);
    let refused = apply(&cluster, &path, "fieldManager=you", config_map("a", json!({"x": "2"}))).await;
    let words = "Apply failed with 1 conflict: conflict with \"me\": .data.x".to_owned();
    assert_eq!(refused.failure(), (409, "Conflict".to_owned(), words));
    let cause = refused.json()["details"]["causes"][0].clone();
    assert_eq!((at(&cause, "/reason"), at(&cause, "/field")), ("FieldManagerConflict", ".data.x"));
    let forced = apply(&cluster, &path, "fieldManager=you&force=true", config_map("a", json!({"x": "2"}))).await;
    assert_eq!(owners(&forced.expect(200), "/f:data/f:x"), ["you Apply "]);
}

#[tokio::test]
async fn of_appliers_that_meet_at_the_creation_none_is_turned_away() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    let applies = ["x", "y", "z"].map(|field| {
        let config = config_map("a", json!({field: "1"}));
        let (cluster, path) = (&cluster, &path);
        async move { apply(cluster, path, &format!("fieldManager={field}"), config).await.json() }
    });
    for made in futures::future::join_all(applies).await {
        assert_eq!(at(&made, "/kind"), "ConfigMap", "{made}");
    }
    assert_eq!(cluster.get(&path).await.expect(200)["data"], json!({"x": "1", "y": "1", "z": "1"}));
}

#[tokio::test]
async fn a_write_through_another_view_keeps_the_owners() {
    let cluster = Cluster::start().await;
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"name": "web"}, "message": "it started"});
    let events = "/api/v1/namespaces/default/events";
    let made = cluster.post(&format!("{events}?fieldManager=me"), event).await.expect(201);
    assert_eq!(owners(&made, "/f:message"), ["me Update "]);
    let path = "/apis/events.k8s.io/v1/namespaces/default/events/e?fieldManager=you";
    cluster.patch(path, "merge-patch", json!({"note": "it runs"})).await.expect(200);
    let changed = cluster.get(&format!("{events}/e")).await.expect(200);
    assert_eq!((at(&changed, "/message"), owners(&changed, "/f:message")), ("it runs", vec!["me Update ".to_owned()]));
}

#[tokio::test]
async fn every_other_write_owns_what_it_changes() {
    let cluster = Cluster::start().await;
    let mut request = ask("POST", PODS, Some(pod("web")));
    request.headers_mut().insert(header::USER_AGENT, "kubectl/v1.32 (linux)".parse().expect("an agent"));
    let made = cluster.send(request).await.expect(201);
    let image = "/f:spec/f:containers/k:{\"name\":\"main\"}/f:image";
    assert_eq!(owners(&made, image), ["kubectl Update "]);
    assert_eq!(owners(&made, "/f:status"), Vec::<String>::new());
    assert_eq!(owners(&made, "/f:spec/f:nodeName"), Vec::<String>::new());
    let patch = json!({"status": {"podIP": "10.0.0.1"}});
    let path = format!("{PODS}/web");
    let status = format!("{path}/status?fieldManager=node");
    let patched = cluster.patch(&status, "merge-patch", patch).await.expect(200);
    assert_eq!(owners(&patched, "/f:status/f:podIP"), ["node Update status"]);

    let config = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"a": "b"}}});
    let applied = apply(&cluster, &path, "fieldManager=me", config).await.expect(200);
    assert_eq!(owners(&applied, "/f:metadata/f:labels/f:a"), ["me Apply "]);
    assert_eq!(
        (owners(&applied, image), at(&applied, "/status/podIP")),
        (vec!["kubectl Update ".to_owned()], "10.0.0.1")
    );
    let set = json!({"spec": {"containers": [{"name": "main", "image": "example.com/app:2"}]}});
    let changed = cluster.patch(&format!("{path}?fieldManager=ci"), "strategic-merge-patch", set).await.expect(200);
    assert_eq!(owners(&changed, image), ["ci Update "]);
}

#[tokio::test]
async fn what_an_apply_must_and_must_not_say() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    let refused = apply(&cluster, &path, "", config_map("a", json!({}))).await.failure();
    let words = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
    assert_eq!(refused, (422, "Invalid".to_owned(), words.to_owned()));
    cluster.post(CONFIGMAPS, config_map("a", json!({}))).await.expect(201);
    assert_eq!(cluster.patch(&format!("{path}?force=true"), "merge-patch", json!({})).await.failure().0, 422);
    let mut unknown = config_map("a", json!({}));
    unknown["nonsense"] = json!(1);
    let refused = apply(&cluster, &path, "fieldManager=me", unknown).await.failure();
    assert_eq!(
        (refused.0, refused.2.contains(".nonsense: field not declared in schema")),
        (400, true),
        "{}",
        refused.2
    );
    let long = apply(&cluster, &path, &format!("fieldManager={}", "m".repeat(129)), config_map("a", json!({}))).await;
    assert!(long.failure().2.contains("fieldManager: Too long: may not be more than 128 bytes"), "{long:?}");
    let bell = apply(&cluster, &path, "fieldManager=a%07", config_map("a", json!({}))).await;
    assert!(bell.failure().2.ends_with("invalid character U+0007 (at position 1)"), "{bell:?}");
    let mut other = config_map("c", json!({}));
    other["metadata"]["uid"] = json!("4711");
    let refused = apply(&cluster, &format!("{CONFIGMAPS}/c"), "fieldManager=me", other).await.failure();
    assert_eq!((refused.0, refused.2.contains("uid mismatch: ")), (409, true), "{}", refused.2);
    let scale = "/apis/apps/v1/namespaces/default/statefulsets/s/scale";
    assert_eq!(apply(&cluster, scale, "fieldManager=me", json!({})).await.failure().0, 415);
    let dry =
        apply(&cluster, &format!("{CONFIGMAPS}/b"), "fieldManager=me&dryRun=All", config_map("b", json!({}))).await;
    assert_eq!(at(&dry.expect(201), "/metadata/name"), "b");
    assert_eq!(cluster.get(&format!("{CONFIGMAPS}/b")).await.failure().0, 404);
}
