//! What clients ask first.

use super::{Cluster, Reply, ask, at};
use http::header;

async fn get_with(cluster: &Cluster, path: &str, name: header::HeaderName, value: &str) -> Reply {
    let mut request = ask("GET", path, None);
    request.headers_mut().insert(name, value.parse().expect("a header"));
    cluster.send(request).await
}

#[tokio::test]
async fn discovery_is_aggregated_for_who_takes_it_so() {
    let cluster = Cluster::start().await;
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let reply = get_with(&cluster, "/apis", header::ACCEPT, accept).await;
    assert_eq!(
        reply.headers[header::CONTENT_TYPE],
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    assert_eq!(at(&reply.expect(200), "/kind"), "APIGroupDiscoveryList");
    assert_eq!(at(&cluster.get("/api/v1").await.expect(200), "/kind"), "APIResourceList");
    assert_eq!(at(&cluster.get("/version").await.expect(200), "/major"), "1");
    assert_eq!(cluster.send(ask("POST", "/apis", None)).await.failure().0, 405);
    assert_eq!(cluster.get("/apis/nothing/v1").await.failure().0, 404);
    let older = cluster.get("/openapi/v2").await;
    assert_eq!(older.headers[header::CONTENT_TYPE], "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    cluster.get("/").await.expect(200);
}

#[tokio::test]
async fn a_document_named_by_its_hash_may_be_kept() {
    let cluster = Cluster::start().await;
    let index = cluster.get("/openapi/v3").await.expect(200);
    let path = at(&index, "/paths/api~1v1/serverRelativeURL");
    let reply = get_with(&cluster, path, header::ACCEPT_ENCODING, "gzip").await;
    assert_eq!(reply.headers[header::CONTENT_ENCODING], "gzip");
    assert_eq!(reply.headers[header::CACHE_CONTROL], "public, immutable");
    assert_eq!(reply.headers[header::EXPIRES], "Sat, 20 Nov 2027 10:00:00 GMT");
    let plain = cluster.get("/openapi/v3/api/v1").await;
    assert_eq!(plain.headers.get(header::EXPIRES), None);
    assert!(plain.expect(200)["paths"].is_object());
}

#[tokio::test]
async fn a_server_that_answers_is_well() {
    let cluster = Cluster::start().await;
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(cluster.post(path, serde_json::json!({})).await.failure().0, 404, "it is only read");
        let reply = cluster.get(path).await;
        assert_eq!((reply.code.as_u16(), &reply.text[..]), (200, &b"ok"[..]), "{path}");
    }
}
