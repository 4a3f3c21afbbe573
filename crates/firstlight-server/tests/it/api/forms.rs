//! The forms of answers: Table, metadata alone, compressed; and the second view of Events.

use super::{CONFIGMAPS, Cluster, PODS, Reply, ask, at, config_map, pod};
use firstlight_server::caller::Caller;
use flate2::read::GzDecoder;
use http::header;
use serde_json::{Value, json};
use std::io::Read;
use tower::ServiceExt;

async fn get_as(cluster: &Cluster, path: &str, accept: &str) -> Reply {
    let mut request = ask("GET", path, None);
    request.headers_mut().insert(header::ACCEPT, accept.parse().expect("a media type"));
    cluster.send(request).await
}

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

#[tokio::test]
async fn kubectl_gets_a_table() {
    let cluster = Cluster::start().await;
    cluster.post(PODS, pod("web")).await.expect(201);
    cluster.pass(90);
    let table = get_as(&cluster, PODS, TABLE).await.expect(200);
    assert_eq!((at(&table, "/kind"), at(&table, "/apiVersion")), ("Table", "meta.k8s.io/v1"));
    assert_eq!(at(&table, "/metadata/resourceVersion"), cluster.store.revision().0.to_string());
    let columns = table["columnDefinitions"].as_array().expect("columns").iter();
    let columns: Vec<&str> =
        columns.filter(|column| column["priority"] == 0).map(|column| at(column, "/name")).collect();
    assert_eq!(columns, ["Name", "Ready", "Status", "Restarts", "Age"]);
    let cells = table["rows"][0]["cells"].as_array().expect("cells")[..5].to_vec();
    assert_eq!(cells, [json!("web"), json!("0/1"), json!("Pending"), json!("0"), json!("90s")]);
    assert_eq!(at(&table, "/rows/0/object/kind"), "PartialObjectMetadata");

    let one = get_as(&cluster, &format!("{PODS}/web?includeObject=Object"), TABLE).await.expect(200);
    assert_eq!(at(&one, "/rows/0/object/spec/nodeName"), "here");
    assert_eq!(get_as(&cluster, &format!("{PODS}?includeObject=Some"), TABLE).await.failure().0, 400);
}

#[tokio::test]
async fn metadata_may_be_all_that_is_asked_for() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIGMAPS, config_map("a", json!({"k": "v"}))).await.expect(201);
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let list = get_as(&cluster, CONFIGMAPS, accept).await.expect(200);
    assert_eq!(at(&list, "/kind"), "PartialObjectMetadataList");
    assert_eq!((at(&list, "/items/0/kind"), list["items"][0].get("data")), ("PartialObjectMetadata", None));
    let one =
        get_as(&cluster, &format!("{CONFIGMAPS}/a"), "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
            .await;
    assert_eq!(at(&one.expect(200), "/metadata/name"), "a");
}

#[tokio::test]
async fn a_form_that_is_not_served_is_refused() {
    let cluster = Cluster::start().await;
    assert_eq!(get_as(&cluster, PODS, "application/vnd.kubernetes.protobuf").await.failure().0, 406);
}

#[tokio::test]
async fn long_answers_are_compressed_for_who_takes_it() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIGMAPS, config_map("a", json!({"k": "x".repeat(200_000)}))).await.expect(201);
    let mut request = ask("GET", CONFIGMAPS, None);
    request.headers_mut().insert(header::ACCEPT_ENCODING, "gzip".parse().expect("a coding"));
    let reply = cluster.send(request).await;
    assert_eq!(reply.headers[header::CONTENT_ENCODING], "gzip");
    assert!(reply.text.len() < 10_000);
    let mut text = String::new();
    GzDecoder::new(&reply.text[..]).read_to_string(&mut text).expect("gzip");
    assert_eq!(at(&serde_json::from_str::<Value>(&text).expect("JSON"), "/items/0/metadata/name"), "a");
    let plain = cluster.get(CONFIGMAPS).await;
    assert_eq!((plain.headers.get(header::CONTENT_ENCODING), plain.text.len() > 200_000), (None, true));
}

#[tokio::test]
async fn events_have_two_faces_and_one_store() {
    let cluster = Cluster::start().await;
    let path = "/apis/events.k8s.io/v1/namespaces/default/events";
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"},
        "eventTime": "2026-11-20T10:00:00.000000Z", "reportingController": "example.com/c", "reportingInstance": "c-1",
        "action": "Starting", "reason": "Started", "type": "Normal", "note": "it started",
        "regarding": {"kind": "Pod", "namespace": "default", "name": "web"},
    });
    let made = cluster.post(path, event).await.expect(201);
    assert_eq!((at(&made, "/apiVersion"), at(&made, "/note")), ("events.k8s.io/v1", "it started"));
    let core = cluster.get("/api/v1/namespaces/default/events/e").await.expect(200);
    assert_eq!((at(&core, "/apiVersion"), at(&core, "/message")), ("v1", "it started"));
    assert_eq!((at(&core, "/involvedObject/name"), at(&core, "/reportingComponent")), ("web", "example.com/c"));
    let selected = cluster.get("/api/v1/events?fieldSelector=involvedObject.name%3Dweb").await.expect(200);
    assert_eq!(selected["items"].as_array().map(Vec::len), Some(1));
    let listed = cluster.get(path).await.expect(200);
    assert_eq!((at(&listed, "/apiVersion"), at(&listed, "/items/0/note")), ("events.k8s.io/v1", "it started"));
    let patched = cluster.patch(&format!("{path}/e"), "merge-patch", json!({"note": "again"})).await.expect(200);
    assert_eq!(at(&patched, "/note"), "again");
}

#[tokio::test]
async fn the_api_is_a_service_within_the_process_and_behind_the_listener() {
    let cluster = Cluster::start().await;
    let local = cluster.api.local_service(Caller::new("worker", ["workers"]));
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let answer = local.oneshot(ask("POST", path, Some(json!({})))).await.expect("an answer");
    assert_eq!(Reply::read(answer).await.expect(201)["status"]["userInfo"]["username"], "worker");

    let mut request = ask("GET", PODS, None);
    request.extensions_mut().insert(Cluster::caller());
    let answer = cluster.api.clone().oneshot(request).await.expect("an answer");
    Reply::read(answer).await.expect(200);
    let stranger = cluster.api.clone().oneshot(ask("GET", PODS, None)).await.expect("an answer");
    assert_eq!(Reply::read(stranger).await.failure().0, 401);
}
