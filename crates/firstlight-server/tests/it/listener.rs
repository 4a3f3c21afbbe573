//! The listener as its clients meet it: real TLS over loopback.

use crate::client::{Server, ask, ask_h2, client_config, connect, get};
use crate::fake::SOON;
use firstlight_server::body::{Body, full};
use firstlight_server::identity::Identity;
use firstlight_server::listener::Limits;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

const HOST: &str = "127.0.0.1";

#[tokio::test]
async fn the_administrator_is_known_by_the_certificate_over_both_versions() {
    let server = Server::echo(Limits::default()).await;
    let said = r#"admin ["system:masters", "system:authenticated"] /readyz"#;
    let answer = ask(server.connect(&["http/1.1"]).await, get("/readyz", HOST)).await.expect("an answer");
    assert_eq!(answer, (200, said.to_owned()));
    let request = get(&format!("https://{HOST}/readyz"), HOST);
    let answer = ask_h2(server.connect(&["h2", "http/1.1"]).await, request).await.expect("an answer");
    assert_eq!(answer, (200, said.to_owned()));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_open_ones_go_on() {
    let mut server = Server::echo(Limits::default()).await;
    let shown = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().expect("a chain").to_vec();
    let old = server.connect(&["http/1.1"]).await;
    let first = shown(&old);
    assert_eq!(shown(&server.connect(&["http/1.1"]).await), first);
    assert!(server.identity.renew(jiff::Timestamp::now()).expect("renewed"));
    assert_ne!(shown(&server.connect(&["http/1.1"]).await), first);
    assert_eq!(ask(old, get("/readyz", HOST)).await.expect("an answer").0, 200);
}

#[tokio::test]
async fn a_component_is_known_by_its_own_certificate() {
    let server = Server::echo(Limits::default()).await;
    let credentials = server.identity.client("system:node:here", "system:nodes").expect("credentials");
    let config = client_config(server.identity.authority(), Some(&credentials), &["http/1.1"]);
    let stream = connect(server.address, config).await.expect("a connection");
    let (code, said) = ask(stream, get("/", HOST)).await.expect("an answer");
    assert_eq!((code, said.as_str()), (200, r#"system:node:here ["system:nodes", "system:authenticated"] /"#));
}

/// With TLS 1.3 a client learns that its certificate was refused only when it reads.
async fn is_refused(server: &Server, config: rustls::ClientConfig) -> bool {
    match connect(server.address, config).await {
        Err(_) => true,
        Ok(stream) => ask(stream, get("/readyz", HOST)).await.is_err(),
    }
}

#[tokio::test]
async fn s17_no_certificate_no_answer_not_even_readyz() {
    let server = Server::echo(Limits::default()).await;
    assert!(is_refused(&server, client_config(server.identity.authority(), None, &["http/1.1"])).await);
    assert!(is_refused(&server, client_config(server.identity.authority(), None, &["h2"])).await);
}

#[tokio::test]
async fn s17_a_certificate_of_another_authority_is_refused() {
    let server = Server::echo(Limits::default()).await;
    let dir = tempfile::tempdir().expect("a directory");
    let other = Identity::open(&dir.path().join("identity"), &[], jiff::Timestamp::now()).expect("an identity");
    let config = client_config(server.identity.authority(), Some(other.admin()), &["http/1.1"]);
    assert!(is_refused(&server, config).await);
}

#[tokio::test]
async fn a_client_that_trusts_another_authority_does_not_talk_to_this_server() {
    let server = Server::echo(Limits::default()).await;
    let dir = tempfile::tempdir().expect("a directory");
    let other = Identity::open(&dir.path().join("identity"), &[], jiff::Timestamp::now()).expect("an identity");
    let config = client_config(other.authority(), Some(server.identity.admin()), &["http/1.1"]);
    assert!(connect(server.address, config).await.is_err());
}

#[tokio::test]
async fn s17_plain_http_gets_no_answer() {
    let server = Server::echo(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("written");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
}

#[tokio::test]
async fn s19_a_forged_host_is_refused_over_both_versions() {
    let server = Server::echo(Limits::default()).await;
    let (code, said) = ask(server.connect(&[]).await, get("/api", "evil.example")).await.expect("an answer");
    assert_eq!(code, 403);
    assert!(said.contains(r#"host \"evil.example\" is not a name of this server"#), "{said}");
    let request = Request::get("https://evil.example/api").body(http_body_util::Full::default()).expect("a request");
    let (code, _) = ask_h2(server.connect(&["h2"]).await, request).await.expect("an answer");
    assert_eq!(code, 403);
}

#[tokio::test]
async fn s19_a_request_from_a_web_page_is_refused() {
    let server = Server::echo(Limits::default()).await;
    let mut request = get("/api", HOST);
    request.headers_mut().insert("origin", "null".parse().expect("a value"));
    let (code, said) = ask(server.connect(&[]).await, request).await.expect("an answer");
    assert_eq!(code, 403, "{said}");
}

#[tokio::test]
async fn f71_stalled_handshakes_give_way_to_a_good_client() {
    let limits = Limits { handshakes: 4, handshake: Duration::from_secs(3600), ..Limits::default() };
    let server = Server::echo(limits).await;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(TcpStream::connect(server.address).await.expect("a connection"));
    }
    let answer = ask(server.connect(&[]).await, get("/", HOST)).await.expect("an answer");
    assert_eq!(answer.0, 200);
    let mut byte = [0];
    let closed = stalled[0].read(&mut byte).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "the oldest gave way: {closed:?}");
}

#[tokio::test]
async fn f71_headers_that_never_end_are_cut_off() {
    let limits = Limits { headers: Duration::from_millis(50), ..Limits::default() };
    let server = Server::echo(limits).await;
    let mut stream = server.connect(&["http/1.1"]).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: ").await.expect("written");
    let mut answer = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("cut off in time");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn f71_a_handshake_that_never_ends_is_cut_off() {
    let server = Server::echo(Limits { handshake: Duration::from_millis(50), ..Limits::default() }).await;
    let mut stalled = TcpStream::connect(server.address).await.expect("a connection");
    let closed = timeout(SOON, stalled.read(&mut [0])).await.expect("cut off in time");
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
}

#[tokio::test]
async fn e8_a_client_is_told_how_many_requests_one_connection_bears() {
    let server = Server::echo(Limits { streams: 7, ..Limits::default() }).await;
    let mut stream = server.connect(&["h2"]).await;
    // RFC 9113, sections 3.4 and 6.5: the preface and empty settings; the server answers with its own.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("written");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).await.expect("settings");
    const MAX_CONCURRENT_STREAMS: [u8; 2] = [0, 3];
    let told = settings.chunks_exact(6).find_map(|setting| setting.strip_prefix(&MAX_CONCURRENT_STREAMS));
    assert_eq!((head[3], told), (4, Some(&[0, 0, 0, 7][..])));
}

#[tokio::test]
async fn f71_headers_beyond_the_limit_are_refused() {
    let limits = Limits { header_bytes: 8 << 10, ..Limits::default() };
    let server = Server::echo(limits).await;
    let mut request = get("/", HOST);
    request.headers_mut().insert("x-long", "x".repeat(16 << 10).parse().expect("a value"));
    let (code, _) = ask(server.connect(&["http/1.1"]).await, request).await.expect("an answer");
    assert_eq!(code, 431);
}

#[tokio::test]
async fn e8_one_user_cannot_take_the_place_of_all() {
    let server = Server::echo(Limits { per_user: 1, ..Limits::default() }).await;
    let first = server.connect(&["http/1.1"]).await;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(first)).await.expect("HTTP");
    tokio::spawn(connection);
    sender.send_request(get("/", HOST)).await.expect("an answer");
    let admin = client_config(server.identity.authority(), Some(server.identity.admin()), &["http/1.1"]);
    assert!(is_refused(&server, admin).await, "a second connection of the same user");
    let credentials = server.identity.client("other", "people").expect("credentials");
    let config = client_config(server.identity.authority(), Some(&credentials), &["http/1.1"]);
    let stream = connect(server.address, config).await.expect("a connection");
    assert_eq!(ask(stream, get("/", HOST)).await.expect("an answer").0, 200);
}

#[tokio::test]
async fn stop_lets_a_request_finish_and_accepts_no_other() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (entered2, leave2) = (Arc::clone(&entered), Arc::clone(&leave));
    let service = tower::service_fn(move |_: Request<Incoming>| {
        let (entered, leave) = (Arc::clone(&entered2), Arc::clone(&leave2));
        async move {
            entered.notify_one();
            leave.notified().await;
            Ok::<Response<Body>, Infallible>(Response::new(full("done")))
        }
    });
    let server = Server::start(service, Limits::default()).await;
    let stream = hyper_util::rt::TokioIo::new(server.connect(&["http/1.1"]).await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.expect("HTTP");
    tokio::spawn(connection);
    let request = tokio::spawn(async move { sender.send_request(get("/", HOST)).await });
    entered.notified().await;
    server.stop.cancel();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    leave.notify_one();
    let answer = request.await.expect("joined").expect("an answer");
    assert_eq!((answer.status().as_u16(), &answer.headers()["connection"]), (200, &HeaderValue::from_static("close")));
    assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "done");
    server.task.await.expect("the listener ends");
}
