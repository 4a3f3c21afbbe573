//! Probes and hooks that the node performs itself.

use crate::scene::{Scene, condition, container, pod};
use firstlight_api::object::text;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A server on loopback that gives every request this answer, and tells the request's first line and headers.
pub(crate) async fn server(answer: &'static str) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 4096];
            let length = stream.read(&mut buffer).await.unwrap_or(0);
            let _ = asked.send(String::from_utf8_lossy(&buffer[..length]).into_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, requests)
}

/// The same over TLS, with a certificate that nobody vouches for.
async fn tls_server(answer: &'static str) -> u16 {
    let made = rcgen::generate_simple_self_signed(["nobody.example".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

pub(crate) fn readiness(handler: Value) -> Value {
    let mut probe = json!({ "periodSeconds": 1, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 1 });
    for (key, value) in handler.as_object().unwrap() {
        probe[key] = value.clone();
    }
    let mut main = container("m");
    main["readinessProbe"] = probe;
    json!({ "containers": [main] })
}

#[tokio::test]
async fn prb_5_an_http_probe_that_is_answered_well_makes_the_pod_ready() {
    let (port, mut requests) = server("HTTP/1.1 204 No Content\r\n\r\n").await;
    let headers = json!([{ "name": "X-Who", "value": "probe" }]);
    let get = json!({ "httpGet": { "path": "/ready?x=1", "port": port, "scheme": "HTTP", "httpHeaders": headers } });
    let scene = Scene::new();
    let p = scene.create(pod("p", readiness(get))).await;
    scene.pod(&p, |pod| condition(pod, "Ready") == "True").await;
    let request = requests.recv().await.unwrap().to_lowercase();
    assert!(request.starts_with("get /ready?x=1 http/1.1\r\n"), "{request}");
    assert!(request.contains("x-who: probe"), "{request}");
    assert!(request.contains("user-agent: kube-probe/"), "{request}");
    scene.node.stop().await;
}

#[tokio::test]
async fn prb_5_a_redirect_to_the_same_host_is_followed_and_one_elsewhere_is_a_success_with_a_warning() {
    let (bad, _requests) = server("HTTP/1.1 404 Not Found\r\n\r\n").await;
    let here = format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{bad}/missing\r\n\r\n");
    let (here, _requests) = server(here.leak()).await;
    let (elsewhere, _requests) = server("HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\n\r\nmoved").await;
    let get = |port| json!({ "httpGet": { "path": "/", "port": port, "scheme": "HTTP" } });
    let scene = Scene::new();
    scene.create(pod("here", readiness(get(here)))).await;
    let events = scene.events("Unhealthy").await;
    let message = text(&events.last().unwrap().value, &["message"]);
    assert_eq!(message, "Readiness probe failed: HTTP probe failed with statuscode: 404");
    let p = scene.create(pod("elsewhere", readiness(get(elsewhere)))).await;
    scene.pod(&p, |pod| condition(pod, "Ready") == "True").await;
    let events = scene.events("ProbeWarning").await;
    let warning = events.iter().find(|event| text(&event.value, &["reason"]) == "ProbeWarning").unwrap();
    assert_eq!(
        text(&warning.value, &["message"]),
        "Readiness probe warning: Probe terminated redirects, Response body: moved"
    );
    scene.node.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_in_gos_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let scene = Scene::new();
    scene.create(pod("p", readiness(json!({ "tcpSocket": { "port": port } })))).await;
    let events = scene.events("Unhealthy").await;
    let message = text(&events.last().unwrap().value, &["message"]).to_owned();
    assert_eq!(message, format!("Readiness probe failed: dial tcp 127.0.0.1:{port}: connect: connection refused"));
    scene.node.stop().await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let get = json!({ "httpGet": { "path": "/", "port": port, "scheme": "HTTP" } });
    let scene = Scene::new();
    scene.create(pod("p", readiness(get))).await;
    let events = scene.events("Unhealthy").await;
    let message = text(&events.last().unwrap().value, &["message"]);
    assert!(message.ends_with("(Client.Timeout exceeded while awaiting headers)"), "{message}");
    scene.node.stop().await;
}

#[tokio::test]
async fn evt_6_an_http_probe_that_is_answered_badly_says_how() {
    let (port, _requests) = server("HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
    let get = json!({ "httpGet": { "path": "/", "port": port, "scheme": "HTTP" } });
    let scene = Scene::new();
    scene.create(pod("p", readiness(get))).await;
    let events = scene.events("Unhealthy").await;
    let unhealthy = events.iter().find(|event| text(&event.value, &["reason"]) == "Unhealthy").unwrap();
    let message = text(&unhealthy.value, &["message"]);
    assert_eq!(message, "Readiness probe failed: HTTP probe failed with statuscode: 503");
    scene.node.stop().await;
}

#[tokio::test]
async fn prb_1_an_https_probe_asks_whether_a_server_answers_not_who_it_is() {
    let port = tls_server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let scene = Scene::new();
    let get = json!({ "httpGet": { "path": "/", "port": port, "scheme": "HTTPS" } });
    let p = scene.create(pod("p", readiness(get))).await;
    scene.pod(&p, |pod| condition(pod, "Ready") == "True").await;
    scene.node.stop().await;
}

#[tokio::test]
async fn hok_4_an_https_hook_falls_back_to_plain_http() {
    let (port, mut requests) = server("HTTP/1.1 200 OK\r\n\r\n").await;
    let mut main = container("m");
    main["lifecycle"] = json!({ "postStart": { "httpGet": { "path": "/hello", "port": port, "scheme": "HTTPS" } } });
    let scene = Scene::new();
    let p = scene.create(pod("p", json!({ "containers": [main] }))).await;
    scene.phase(&p, "Running").await;
    requests.recv().await.unwrap();
    assert!(requests.recv().await.unwrap().starts_with("GET /hello "));
    scene.node.stop().await;
}

#[tokio::test]
async fn prb_1_a_tcp_probe_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let scene = Scene::new();
    let p = scene.create(pod("p", readiness(json!({ "tcpSocket": { "port": port } })))).await;
    scene.pod(&p, |pod| condition(pod, "Ready") == "True").await;
    scene.node.stop().await;
}

#[tokio::test]
async fn hok_4_a_hook_is_content_with_any_answer() {
    let (port, mut requests) = server("HTTP/1.1 500 Internal Server Error\r\n\r\n").await;
    let mut main = container("m");
    let get = json!({ "httpGet": { "path": "/hello", "port": port, "scheme": "HTTP" } });
    main["lifecycle"] = json!({ "postStart": get });
    let scene = Scene::new();
    let p = scene.create(pod("p", json!({ "containers": [main] }))).await;
    scene.phase(&p, "Running").await;
    assert!(requests.recv().await.unwrap().starts_with("GET /hello "));
    scene.node.stop().await;
}

#[tokio::test]
async fn a_command_in_the_container_is_for_the_runtime() {
    let mut main = container("m");
    main["lifecycle"] = json!({ "postStart": { "exec": { "command": ["true"] } } });
    let mut scene = Scene::new();
    scene.create(pod("p", json!({ "containers": [main] }))).await;
    scene.runtime.until("Hook m/0 postStart").await;
    scene.node.stop().await;
}

#[tokio::test]
async fn hok_7_a_hook_that_opens_a_connection_always_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut main = container("m");
    main["lifecycle"] = json!({ "postStart": { "tcpSocket": { "port": port } } });
    let scene = Scene::new();
    scene.create(pod("p", json!({ "containers": [main] }))).await;
    let events = scene.events("FailedPostStartHook").await;
    let failed = events.iter().find(|event| text(&event.value, &["reason"]) == "FailedPostStartHook").unwrap();
    let words = text(&failed.value, &["message"]);
    assert!(words.contains("invalid handler"), "{words}");
    scene.node.stop().await;
}
