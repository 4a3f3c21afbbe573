//! gRPC probes, against a server that speaks HTTP/2.

use crate::network::{readiness, server};
use crate::scene::{Scene, condition, pod};
use bytes::Bytes;
use firstlight_api::object::text;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A gRPC server that answers a health check with this frame and these trailers; what it was asked comes back.
async fn grpc_server(answer: &'static [u8], status: &'static str) -> (u16, mpsc::UnboundedReceiver<(String, Bytes)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::unbounded_channel();
    let serve = move |request: hyper::Request<hyper::body::Incoming>| {
        let sender = sender.clone();
        async move {
            let (head, body) = request.into_parts();
            let asked = body.collect().await.unwrap().to_bytes();
            assert_eq!(head.headers["content-type"], "application/grpc");
            let _ = sender.send((format!("{} {}", head.method, head.uri.path()), asked));
            let mut trailers = hyper::HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            let frames = [Frame::data(Bytes::from_static(answer)), Frame::trailers(trailers)];
            let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
            hyper::Response::builder().header("content-type", "application/grpc").body(body)
        }
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), hyper::service::service_fn(serve.clone())));
        }
    });
    (port, receiver)
}

async fn unhealthy(handler: Value) -> String {
    let scene = Scene::new();
    scene.create(pod("p", readiness(handler))).await;
    let events = scene.events("Unhealthy").await;
    let message = text(&events.last().unwrap().value, &["message"]).to_owned();
    scene.node.stop().await;
    message
}

#[tokio::test]
async fn prb_1_a_grpc_probe_asks_the_health_service_about_its_service() {
    let (port, mut asked) = grpc_server(&[0, 0, 0, 0, 2, 8, 1], "0").await;
    let scene = Scene::new();
    let p = scene.create(pod("p", readiness(json!({ "grpc": { "port": port, "service": "db" } })))).await;
    scene.pod(&p, |pod| condition(pod, "Ready") == "True").await;
    let (what, message) = asked.recv().await.unwrap();
    assert_eq!(what, "POST /grpc.health.v1.Health/Check");
    assert_eq!(message.as_ref(), b"\0\0\0\0\x04\x0a\x02db");
    scene.node.stop().await;
}

#[tokio::test]
async fn evt_6_a_grpc_server_that_is_not_well_says_so() {
    let (port, _asked) = grpc_server(&[0, 0, 0, 0, 2, 8, 2], "0").await;
    let message = unhealthy(json!({ "grpc": { "port": port } })).await;
    assert_eq!(message, "Readiness probe failed: service unhealthy (responded with \"NOT_SERVING\")");
}

#[tokio::test]
async fn evt_6_a_grpc_server_without_a_health_service_says_so() {
    let (port, _asked) = grpc_server(&[], "12").await;
    let message = unhealthy(json!({ "grpc": { "port": port } })).await;
    let words = "Readiness probe failed: error: this server does not implement the grpc health protocol";
    assert!(message.starts_with(words), "{message}");
}

#[tokio::test]
async fn a_server_that_speaks_no_grpc_fails_a_grpc_probe() {
    let (port, _requests) = server("HTTP/1.1 200 OK\r\n\r\n").await;
    let message = unhealthy(json!({ "grpc": { "port": port } })).await;
    assert!(message.starts_with("Readiness probe failed: error: health rpc probe failed: "), "{message}");
}

#[tokio::test]
async fn a_grpc_server_that_never_answers_is_given_up_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let message = unhealthy(json!({ "grpc": { "port": port } })).await;
    assert_eq!(message, "Readiness probe failed: timeout: health rpc did not complete within 1s");
}
