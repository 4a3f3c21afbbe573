//! POST: what is filled in, what is refused.

use super::{CONFIGMAPS, Cluster, PODS, ask, at, config_map, pod};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::json;
use std::convert::Infallible;

#[tokio::test]
async fn a_pod_is_created_pending_bound_and_identified() {
    let cluster = Cluster::start().await;
    let made = cluster.post(PODS, pod("web")).await.expect(201);
    assert_eq!(at(&made, "/metadata/namespace"), "default");
    assert_eq!(at(&made, "/metadata/creationTimestamp"), super::BEGINNING);
    assert_eq!(at(&made, "/metadata/uid").len(), 36);
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(at(&made, "/metadata/resourceVersion"), cluster.store.revision().0.to_string());
    assert_eq!((at(&made, "/spec/nodeName"), at(&made, "/status/phase")), ("here", "Pending"));
    assert_eq!(at(&made, "/status/conditions/0/type"), "PodScheduled");
    assert_eq!(cluster.get(&format!("{PODS}/web")).await.expect(200), made);
}

#[tokio::test]
async fn who_creates_does_not_say_who_it_is_or_what_became_of_it() {
    let cluster = Cluster::start().await;
    let mut asked = pod("web");
    asked["metadata"]["uid"] = json!("mine");
    asked["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    asked["metadata"]["deletionTimestamp"] = json!("2001-01-01T00:00:00Z");
    asked["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    asked["status"] = json!({"phase": "Running"});
    let made = cluster.post(PODS, asked).await.expect(201);
    assert_ne!(at(&made, "/metadata/uid"), "mine");
    assert_eq!(at(&made, "/metadata/creationTimestamp"), super::BEGINNING);
    assert_eq!(made["metadata"].get("deletionTimestamp"), None);
    assert_eq!(at(&made, "/metadata/managedFields/0/manager"), "unknown");
    assert_eq!(at(&made, "/status/phase"), "Pending");
}

#[tokio::test]
async fn con_1_a_pod_behind_gates_or_for_another_scheduler_waits_unbound() {
    let cluster = Cluster::start().await;
    let mut gated = pod("gated");
    gated["spec"]["schedulingGates"] = json!([{"name": "example.com/wait"}]);
    let made = cluster.post(PODS, gated).await.expect(201);
    assert_eq!((at(&made, "/spec/nodeName"), at(&made, "/status/conditions/0/reason")), ("", "SchedulingGated"));
    let scheduled = (at(&made, "/status/conditions/0/type"), at(&made, "/status/conditions/0/status"));
    assert_eq!(scheduled, ("PodScheduled", "False"));

    let more = json!({"spec": {"schedulingGates": [{"name": "example.com/wait"}, {"name": "example.com/more"}]}});
    let refused = cluster.patch(&format!("{PODS}/gated"), "merge-patch", more).await.failure();
    assert_eq!((refused.0, refused.2.contains("only deletion is allowed")), (422, true), "{}", refused.2);
    let patch = json!({"spec": {"schedulingGates": []}});
    let opened = cluster.patch(&format!("{PODS}/gated"), "merge-patch", patch).await.expect(200);
    assert_eq!((at(&opened, "/spec/nodeName"), at(&opened, "/status/conditions/0/status")), ("here", "True"));

    let mut other = pod("other");
    other["spec"]["schedulerName"] = json!("mine");
    assert_eq!(at(&cluster.post(PODS, other).await.expect(201), "/spec/nodeName"), "");
}

#[tokio::test]
async fn val_27_a_name_is_generated_and_the_second_of_a_name_is_refused() {
    let cluster = Cluster::start().await;
    let mut asked = config_map("", json!({}));
    asked["metadata"] = json!({"generateName": "cm-"});
    let (one, two) = (cluster.post(CONFIGMAPS, asked.clone()).await.expect(201), cluster.post(CONFIGMAPS, asked).await);
    assert!(at(&one, "/metadata/name").starts_with("cm-"));
    assert_ne!(at(&one, "/metadata/name"), at(&two.expect(201), "/metadata/name"));

    cluster.post(CONFIGMAPS, config_map("a", json!({}))).await.expect(201);
    let again = cluster.post(CONFIGMAPS, config_map("a", json!({}))).await;
    let words = "configmaps \"a\" already exists".to_owned();
    assert_eq!(again.failure(), (409, "AlreadyExists".to_owned(), words));
    assert_eq!(again.json()["details"], json!({"name": "a", "kind": "configmaps"}));
}

#[tokio::test]
async fn what_contradicts_the_path_is_refused() {
    let cluster = Cluster::start().await;
    let mut elsewhere = config_map("a", json!({}));
    elsewhere["metadata"]["namespace"] = json!("other");
    let refused = cluster.post(CONFIGMAPS, elsewhere).await.failure();
    assert_eq!((refused.0, refused.2.contains("does not match the namespace sent on the request")), (400, true));

    let refused = cluster.post(CONFIGMAPS, pod("a")).await.failure();
    assert_eq!((refused.0, refused.2.contains("cannot be handled as a ConfigMap")), (400, true), "{}", refused.2);

    let mut version = config_map("a", json!({}));
    version["apiVersion"] = json!("apps/v1");
    let refused = cluster.post(CONFIGMAPS, version).await.failure();
    let words = "the API version in the data (apps/v1) does not match the expected API version (v1)";
    assert_eq!((refused.0, refused.2.as_str()), (400, words));

    let mut stamped = config_map("a", json!({}));
    stamped["metadata"]["resourceVersion"] = json!("5");
    assert_eq!(cluster.post(CONFIGMAPS, stamped).await.failure().0, 400);
}

#[tokio::test]
async fn a_namespace_must_be_there_and_stay() {
    let cluster = Cluster::start().await;
    let path = "/api/v1/namespaces/other/configmaps";
    let refused = cluster.post(path, config_map("a", json!({}))).await.failure();
    assert_eq!(refused, (404, "NotFound".to_owned(), "namespaces \"other\" not found".to_owned()));

    let namespace = json!({"metadata": {"name": "other"}});
    cluster.post("/api/v1/namespaces", namespace).await.expect(201);
    cluster.delete("/api/v1/namespaces/other").await.expect(200);
    let refused = cluster.post(path, config_map("a", json!({}))).await;
    assert_eq!(refused.failure().0, 403);
    assert_eq!(at(&refused.json(), "/details/causes/0/reason"), "NamespaceTerminating");
}

#[tokio::test]
async fn sec_7_a_named_service_account_must_be_there() {
    let cluster = Cluster::start().await;
    let mut asked = pod("web");
    asked["spec"]["serviceAccountName"] = json!("robot");
    let refused = cluster.post(PODS, asked.clone()).await.failure();
    let words = "pods \"web\" is forbidden: error looking up service account default/robot: \
                 serviceaccount \"robot\" not found";
    assert_eq!(refused, (403, "Forbidden".to_owned(), words.to_owned()));
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    cluster.post(accounts, json!({"metadata": {"name": "robot"}})).await.expect(201);
    cluster.post(PODS, asked).await.expect(201);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let cluster = Cluster::start().await;
    let before = cluster.store.revision();
    let made = cluster.post(&format!("{PODS}?dryRun=All"), pod("web")).await.expect(201);
    assert_eq!((at(&made, "/spec/nodeName"), made["metadata"].get("resourceVersion")), ("here", None));
    assert_eq!(cluster.store.revision(), before);
    let refused = cluster.post(&format!("{PODS}?dryRun=Some"), pod("web")).await.failure();
    assert_eq!((refused.0, refused.1.as_str()), (422, "Invalid"));
}

#[tokio::test]
async fn a_dry_run_of_every_other_write_shows_what_would_be_and_changes_nothing() {
    let cluster = Cluster::start().await;
    let made = cluster.post(PODS, pod("web")).await.expect(201);
    let mut unbound = pod("unbound");
    unbound["spec"]["schedulerName"] = json!("mine");
    cluster.post(PODS, unbound).await.expect(201);
    let (path, before) = (format!("{PODS}/web"), cluster.store.revision());
    let mut changed = made.clone();
    changed["metadata"]["labels"] = json!({"a": "b"});
    let put = cluster.put(&format!("{path}?dryRun=All"), changed).await.expect(200);
    assert_eq!(at(&put, "/metadata/labels/a"), "b");
    let patch = json!({"metadata": {"labels": {"a": "c"}}});
    let patched = cluster.patch(&format!("{path}?dryRun=All"), "merge-patch", patch).await.expect(200);
    assert_eq!(at(&patched, "/metadata/labels/a"), "c");
    let status = json!({"status": {"podIP": "10.0.0.1"}});
    cluster.patch(&format!("{path}/status?dryRun=All"), "merge-patch", status).await.expect(200);
    let leaving = cluster.delete(&format!("{path}?dryRun=All")).await.expect(200);
    assert_eq!(leaving["metadata"]["deletionGracePeriodSeconds"], 30);
    cluster.delete(&format!("{path}?dryRun=All&gracePeriodSeconds=0")).await.expect(200);
    cluster.delete(&format!("{PODS}?dryRun=All")).await.expect(200);
    for options in [json!(null), json!({"gracePeriodSeconds": 0})] {
        let mut eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}});
        eviction["deleteOptions"] = options;
        cluster.post(&format!("{path}/eviction?dryRun=All"), eviction).await.expect(201);
    }
    let binding = json!({"metadata": {"name": "unbound"}, "target": {"kind": "Node", "name": "there"}});
    cluster.post(&format!("{PODS}/unbound/binding?dryRun=All"), binding).await.expect(201);
    assert_eq!(cluster.store.revision(), before);
    assert_eq!(cluster.get(&path).await.expect(200), made);
}

#[tokio::test(start_paused = true)]
async fn e8_a_body_that_does_not_come_is_given_up_on() {
    let cluster = Cluster::start().await;
    let body = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let request = Request::post(PODS).header("content-type", "application/json").body(body).expect("a request");
    let began = tokio::time::Instant::now();
    let answer = cluster.api.handle(Cluster::caller(), request).await;
    assert_eq!((answer.status().as_u16(), began.elapsed().as_secs()), (504, 30));
}

#[tokio::test]
async fn val_26_unknown_fields_are_passed_over_warned_of_or_refused_as_asked() {
    let cluster = Cluster::start().await;
    let mut asked = pod("web");
    asked["spec"]["nonsense"] = json!(1);
    let strict = cluster.post(&format!("{PODS}?fieldValidation=Strict"), asked.clone()).await.failure();
    assert_eq!((strict.0, strict.2.contains("strict decoding error: unknown field \"spec.nonsense\"")), (400, true));
    let warned = cluster.post(&format!("{PODS}?dryRun=All"), asked.clone()).await;
    warned.expect(201);
    assert_eq!(warned.warnings(), ["299 - \"unknown field \\\"spec.nonsense\\\"\""]);
    let ignored = cluster.post(&format!("{PODS}?dryRun=All&fieldValidation=Ignore"), asked).await;
    assert_eq!(ignored.warnings(), Vec::<String>::new());
    let twice = r#"{"metadata": {"name": "a"}, "data": {"k": "1", "k": "2"}}"#;
    let mut request = ask("POST", &format!("{CONFIGMAPS}?fieldValidation=Strict"), None);
    *request.body_mut() = twice.into();
    let refused = cluster.send(request).await.failure();
    assert!(refused.2.contains("duplicate field \"data.k\""), "{}", refused.2);
}

#[tokio::test]
async fn def_5_what_is_probably_not_meant_is_warned_of() {
    let cluster = Cluster::start().await;
    let mut odd = pod("web.1");
    odd["spec"]["terminationGracePeriodSeconds"] = json!(-5);
    odd["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]);
    let reply = cluster.post(PODS, odd).await;
    reply.expect(201);
    let said = reply.warnings().join("\n");
    for words in [
        "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [",
        "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
        "spec.containers[0].env[1]: hides previous definition of \\\"A\\\", which may be dropped when using apply",
    ] {
        assert!(said.contains(words), "{words}\nin {said}");
    }
    assert_eq!(cluster.post(PODS, pod("plain")).await.warnings(), Vec::<String>::new());
}

#[tokio::test]
async fn a_query_parameter_that_means_nothing_is_warned_of() {
    let cluster = Cluster::start().await;
    let reply = cluster.get(&format!("{PODS}?nonsense=1&pretty=true")).await;
    reply.expect(200);
    assert_eq!(reply.warnings().len(), 1);
}

#[tokio::test]
async fn wrong_bodies_are_refused_with_their_place() {
    let cluster = Cluster::start().await;
    let mut typed = pod("web");
    typed["spec"]["containers"][0]["image"] = json!(5);
    let refused = cluster.post(PODS, typed).await.failure();
    assert_eq!((refused.0, refused.2.contains("spec.containers")), (400, true), "{}", refused.2);

    let mut request = ask("POST", PODS, None);
    *request.body_mut() = "{".into();
    assert_eq!(cluster.send(request).await.failure().0, 400);

    let mut request = ask("POST", PODS, Some(pod("web")));
    request.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().expect("a media type"));
    assert_eq!(cluster.send(request).await.failure().0, 415);

    let huge = config_map("a", json!({"k": "x".repeat(3 << 20)}));
    assert_eq!(cluster.post(CONFIGMAPS, huge).await.failure().0, 413);

    let nameless = cluster.post(CONFIGMAPS, json!({"data": {}})).await.failure();
    assert_eq!((nameless.0, nameless.2.contains("metadata.name: Required value")), (422, true), "{}", nameless.2);
}

#[tokio::test]
async fn yaml_and_protobuf_are_read_too() {
    let cluster = Cluster::start().await;
    let mut request = ask("POST", CONFIGMAPS, None);
    *request.body_mut() = "metadata:\n  name: yml\ndata:\n  k: v\n".into();
    request.headers_mut().insert(header::CONTENT_TYPE, "application/yaml".parse().expect("a media type"));
    assert_eq!(cluster.send(request).await.expect(201)["data"], json!({"k": "v"}));

    // k8s\0, then runtime.Unknown { typeMeta {apiVersion: v1, kind: ConfigMap}, raw: ConfigMap {metadata {name: p}} }
    let raw = [&b"\x0a\x03\x0a\x01p"[..]].concat();
    let kind = [&b"\x0a\x02v1\x12\x09ConfigMap"[..]].concat();
    let mut body = b"k8s\0\x0a".to_vec();
    body.push(u8::try_from(kind.len()).expect("short"));
    body.extend(kind);
    body.push(0x12);
    body.push(u8::try_from(raw.len()).expect("short"));
    body.extend(raw);
    let mut request = ask("POST", CONFIGMAPS, None);
    *request.body_mut() = body.into();
    let media_type = "application/vnd.kubernetes.protobuf".parse().expect("a media type");
    request.headers_mut().insert(header::CONTENT_TYPE, media_type);
    assert_eq!(at(&cluster.send(request).await.expect(201), "/metadata/name"), "p");
}

#[tokio::test]
async fn verbs_a_resource_does_not_have_are_refused() {
    let cluster = Cluster::start().await;
    for (method, path) in [
        ("POST", "/api/v1/pods"),
        ("DELETE", "/api/v1/namespaces"),
        ("PUT", PODS),
        ("POST", "/api/v1/namespaces/default/pods/web"),
        ("DELETE", "/api/v1/namespaces/default/pods/web/status"),
        ("GET", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
        ("GET", "/api/v1/namespaces/default/pods/web/binding"),
    ] {
        let refused = cluster.send(ask(method, path, Some(json!({})))).await.failure();
        assert_eq!((refused.0, refused.1.as_str()), (405, "MethodNotAllowed"), "{method} {path}");
    }
    let nowhere = cluster.get("/apis/apps/v1/deployments").await.failure();
    assert_eq!(nowhere.2, "the server could not find the requested resource");
    let nowhere = cluster.get("/apis/apps/v1/deployments").await;
    assert_eq!(at(&nowhere.json(), "/details/causes/0/message"), "404 page not found");
}
