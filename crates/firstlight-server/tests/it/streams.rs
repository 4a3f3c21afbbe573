//! Logs, exec, attach and port-forward as WebSocket clients meet them, through TLS.

use crate::client::{Server, ask, get};
use crate::fake::{Fake, SOON};
use firstlight_server::listener::Limits;
use firstlight_server::streams::{Streams, Subresource};
use futures::{SinkExt, StreamExt};
use http::Request;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

/// A pod with the containers `i`, `a`, `b`, of which the last two run.
fn running_pod() -> Value {
    let running = |name: &str| json!({ "name": name, "state": { "running": {} } });
    json!({
        "metadata": { "name": "p", "namespace": "n", "uid": "u" },
        "spec": {
            "nodeName": "here", "initContainers": [{ "name": "i" }], "containers": [{ "name": "a" }, { "name": "b" }],
        },
        "status": { "containerStatuses": [running("a"), running("b")] },
    })
}

/// A server for the subresources of a running pod.
async fn serve(fake: &Fake) -> (Server, CancellationToken) {
    let pod = Arc::new(running_pod());
    let stop = CancellationToken::new();
    let streams = Streams::new(Arc::new(fake.clone()), stop.clone());
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let (streams, pod) = (streams.clone(), Arc::clone(&pod));
        async move {
            let name = request.uri().path().trim_start_matches('/').to_owned();
            let subresource = Subresource::named(&name).expect("a subresource");
            Ok::<_, Infallible>(streams.serve(&pod, subresource, request).await)
        }
    });
    (Server::start(service, Limits::default()).await, stop)
}

type Socket = WebSocketStream<TlsStream<TcpStream>>;

async fn open(server: &Server, path: &str, protocol: &str) -> Result<Socket, Error> {
    let mut request = format!("wss://127.0.0.1{path}").into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a value"));
    let stream = server.connect(&["http/1.1"]).await;
    let (socket, answer) = tokio_tungstenite::client_async(request, stream).await?;
    assert_eq!(answer.headers()["sec-websocket-protocol"], protocol);
    Ok(socket)
}

/// Everything on each channel until the close, which must be a normal one; with it the `Status`.
async fn finish(mut socket: Socket) -> (Vec<(u8, String)>, Value) {
    let mut channels: Vec<(u8, Vec<u8>)> = Vec::new();
    let close = loop {
        match timeout(SOON, socket.next()).await.expect("in time").expect("a message").expect("no error") {
            Message::Binary(bytes) => match channels.iter_mut().find(|(channel, _)| *channel == bytes[0]) {
                Some((_, all)) => all.extend_from_slice(&bytes[1..]),
                None => channels.push((bytes[0], bytes[1..].to_vec())),
            },
            Message::Close(frame) => break frame,
            _ => {}
        }
    };
    assert_eq!(close.expect("a code").code, CloseCode::Normal);
    let mut texts: Vec<(u8, String)> =
        channels.into_iter().map(|(channel, all)| (channel, String::from_utf8(all).expect("text"))).collect();
    texts.sort();
    let status = texts.iter().position(|(channel, _)| *channel == 3).expect("a status");
    let (_, status) = texts.remove(status);
    (texts, serde_json::from_str(&status).expect("a Status"))
}

fn channel(number: u8, bytes: &[u8]) -> Message {
    Message::Binary([&[number], bytes].concat().into())
}

#[tokio::test]
async fn v5_closes_stdin_alone_and_ends_with_a_status_and_a_normal_close() {
    let fake = Fake::default();
    let (server, _stop) = serve(&fake).await;
    let path = "/exec?container=a&command=cat&stdin=true&stdout=true&stderr=true";
    let mut socket = open(&server, path, "v5.channel.k8s.io").await.expect("a session");
    let first = timeout(SOON, socket.next()).await.expect("in time").expect("a message").expect("no error");
    assert_eq!(first, channel(1, b""), "the session is there");
    socket.send(channel(0, b"there ")).await.expect("sent");
    socket.send(Message::text("\u{0}and back")).await.expect("sent");
    socket.send(channel(255, &[0])).await.expect("sent");
    let (texts, status) = finish(socket).await;
    assert_eq!(texts, [(1, "there and back".to_owned())]);
    assert_eq!(status, json!({ "metadata": {}, "status": "Success" }));
    let options = r#"ExecOptions { command: ["cat"], stdin: true, stdout: true, stderr: true, tty: false }"#;
    assert_eq!(fake.asked(), [format!("n/p/u/a {options}")]);
}

#[tokio::test]
async fn exit_codes_are_told_in_the_causes() {
    let (server, _stop) = serve(&Fake::default()).await;
    for protocol in ["v5.channel.k8s.io", "v4.channel.k8s.io"] {
        let path = "/exec?container=a&command=exit&command=42&stdout=true";
        let (_, status) = finish(open(&server, path, protocol).await.expect("a session")).await;
        assert_eq!((&status["status"], &status["reason"]), (&json!("Failure"), &json!("NonZeroExitCode")));
        assert_eq!(status["details"]["causes"], json!([{ "reason": "ExitCode", "message": "42" }]));
    }
}

#[tokio::test]
async fn stdout_and_stderr_have_a_channel_each() {
    let (server, _stop) = serve(&Fake::default()).await;
    let path = "/exec?container=b&command=both&stdout=true&stderr=true";
    let (texts, _) = finish(open(&server, path, "v4.channel.k8s.io").await.expect("a session")).await;
    assert_eq!(texts, [(1, "out".to_owned()), (2, "err".to_owned())]);
}

#[tokio::test]
async fn a_terminal_is_resized_by_channel_4() {
    let (server, _stop) = serve(&Fake::default()).await;
    let path = "/exec?container=a&command=sizes&command=2&stdin=true&stdout=true&tty=true";
    let mut socket = open(&server, path, "v5.channel.k8s.io").await.expect("a session");
    socket.send(channel(4, br#"{"Width":80,"Height":24}"#)).await.expect("sent");
    let mut seen = String::new();
    while !seen.contains("80x24") {
        if let Message::Binary(bytes) = socket.next().await.expect("a message").expect("no error") {
            seen.push_str(std::str::from_utf8(&bytes[1..]).expect("text"));
        }
    }
    socket.send(channel(4, br#"{"Width":132,"Height":43}"#)).await.expect("sent");
    let (texts, _) = finish(socket).await;
    assert_eq!(texts, [(1, "132x43\n".to_owned())]);
}

#[tokio::test]
async fn much_goes_both_ways_at_once() {
    let (server, _stop) = serve(&Fake::default()).await;
    let path = "/exec?container=a&command=cat&stdin=true&stdout=true";
    let (mut sink, stream) = open(&server, path, "v5.channel.k8s.io").await.expect("a session").split();
    let much: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let sent = much.clone();
    let sending = tokio::spawn(async move {
        for piece in sent.chunks(50_000) {
            sink.send(channel(0, piece)).await.expect("sent");
        }
        sink.send(channel(255, &[0])).await.expect("sent");
        sink
    });
    let back: Vec<u8> = timeout(
        SOON,
        stream
            .filter_map(async |message| match message {
                Ok(Message::Binary(bytes)) if bytes[0] == 1 => Some(bytes.slice(1..)),
                _ => None,
            })
            .fold(Vec::new(), async |mut all, bytes: Bytes| {
                all.extend_from_slice(&bytes);
                all
            }),
    )
    .await
    .expect("in time");
    assert!(back == much, "{} of {} bytes", back.len(), much.len());
    drop(sending.await.expect("sent"));
}

#[tokio::test]
async fn attach_speaks_the_same_and_tells_no_exit_code() {
    let fake = Fake::default();
    let (server, _stop) = serve(&fake).await;
    let mut socket =
        open(&server, "/attach?container=i&stdin=true&stdout=true", "v5.channel.k8s.io").await.expect("a session");
    socket.send(channel(0, b"hello")).await.expect("sent");
    socket.send(channel(255, &[0])).await.expect("sent");
    let (texts, status) = finish(socket).await;
    assert_eq!((texts, &status["status"]), (vec![(1, "hello".to_owned())], &json!("Success")));
    assert!(fake.asked()[0].starts_with("n/p/u/i "), "LOG-7: init containers too");
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_the_process() {
    let fake = Fake::default();
    let (server, _stop) = serve(&fake).await;
    let path = "/exec?container=a&command=hang&stdin=true&stdout=true";
    let socket = open(&server, path, "v5.channel.k8s.io").await.expect("a session");
    let mut hanging = fake.hanging.lock().expect("no panic").take().expect("a process");
    drop(socket);
    assert_eq!(timeout(SOON, hanging.recv()).await.expect("in time"), None);
}

#[tokio::test]
async fn stop_ends_sessions() {
    let fake = Fake::default();
    let (server, stop) = serve(&fake).await;
    let path = "/exec?container=a&command=hang&stdin=true&stdout=true";
    let mut socket = open(&server, path, "v5.channel.k8s.io").await.expect("a session");
    let mut hanging = fake.hanging.lock().expect("no panic").take().expect("a process");
    stop.cancel();
    assert_eq!(timeout(SOON, hanging.recv()).await.expect("in time"), None);
    while let Some(Ok(_)) = timeout(SOON, socket.next()).await.expect("in time") {}
}

async fn refused(server: &Server, path: &str, protocol: &str) -> (u16, Value) {
    match open(server, path, protocol).await {
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().expect("a body");
            (response.status().as_u16(), serde_json::from_slice(body).expect("a Status"))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_cannot_be_is_said_before_the_switch() {
    let (server, _stop) = serve(&Fake::default()).await;
    for (path, code, message) in [
        ("/exec?command=ls&stdout=true", 400, "a container name must be specified for pod p, choose one of: [i a b]"),
        ("/exec?command=ls&stdout=true&container=x", 400, "container x is not valid for pod p"),
        ("/exec?command=ls&container=a", 400, "you must specify at least 1 of stdin, stdout, stderr"),
        ("/exec?command=gone&container=a&stdout=true", 404, "container not found (\"a\")"),
        ("/exec?command=stopped&container=a&stdout=true", 400, "the container is not running"),
    ] {
        let (said, status) = refused(&server, path, "v5.channel.k8s.io").await;
        assert_eq!((said, &status["message"]), (code, &json!(message)), "{path}");
        assert_eq!(status["kind"], "Status");
    }
    let (code, _) = refused(&server, "/exec?command=cat&container=a&stdout=true", "channel.k8s.io").await;
    assert_eq!(code, 400, "no sub-protocol in common");
    let (code, said) = ask(server.connect(&[]).await, get("/exec?command=cat&container=a&stdout=true", "localhost"))
        .await
        .expect("an answer");
    assert_eq!(code, 400);
    assert!(said.contains("Upgrade request required"), "{said}");
}

#[tokio::test]
async fn kube_rs_forwards_ports_by_two_channels_each() {
    let fake = Fake::default();
    let (server, _stop) = serve(&fake).await;
    let mut socket = open(&server, "/portforward?ports=7,80", "v4.channel.k8s.io").await.expect("a session");
    let mut prefixes = Vec::new();
    while prefixes.len() < 4 {
        let message = timeout(SOON, socket.next()).await.expect("in time").expect("a message").expect("no error");
        prefixes.push(message.into_data().to_vec());
    }
    prefixes.sort();
    assert_eq!(prefixes, [vec![0, 7, 0], vec![1, 7, 0], vec![2, 80, 0], vec![3, 80, 0]]);
    socket.send(channel(2, b"GET\n")).await.expect("sent");
    socket.send(channel(0, b"echo")).await.expect("sent");
    let mut answers = Vec::new();
    while answers.len() < 2 {
        answers.push(socket.next().await.expect("a message").expect("no error").into_data().to_vec());
    }
    answers.sort();
    assert_eq!(answers, [b"\x00echo".to_vec(), b"\x02hello from port 80\n".to_vec()]);
    assert_eq!(fake.asked(), ["n/p/u/ 7", "n/p/u/ 80"]);
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_said_on_its_error_channel_and_ends_the_session() {
    let (server, _stop) = serve(&Fake::default()).await;
    let mut socket = open(&server, "/portforward?ports=9", "v4.channel.k8s.io").await.expect("a session");
    let mut said = Vec::new();
    let close = loop {
        match timeout(SOON, socket.next()).await.expect("in time").expect("a message").expect("no error") {
            Message::Close(frame) => break frame,
            message => said.push(message.into_data()),
        }
    };
    assert_eq!(said.len(), 3);
    let message = "\u{1}error forwarding port 9 to pod p, uid u: dial tcp4 127.0.0.1:9: connection refused";
    assert_eq!(said[2], message.as_bytes());
    assert_eq!(close.expect("a code").code, CloseCode::Normal);
}

#[tokio::test]
async fn the_tunnel_and_bare_spdy_are_agreed_on() {
    let (server, _stop) = serve(&Fake::default()).await;
    open(&server, "/portforward", "SPDY/3.1+portforward.k8s.io").await.expect("a tunnel");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(server.connect(&["http/1.1"]).await)).await.expect("HTTP");
    tokio::spawn(connection.with_upgrades());
    let request = Request::post("/exec?container=a&command=cat&stdin=true&stdout=true")
        .header("host", "localhost")
        .header("connection", "Upgrade")
        .header("upgrade", "SPDY/3.1")
        .header("x-stream-protocol-version", "v4.channel.k8s.io")
        .body(http_body_util::Empty::<Bytes>::new())
        .expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["x-stream-protocol-version"], "v4.channel.k8s.io");
}

#[tokio::test]
async fn a_log_is_text() {
    let fake = Fake::default();
    let (server, _stop) = serve(&fake).await;
    let answer =
        ask(server.connect(&[]).await, get("/log?container=a&tailLines=5", "localhost")).await.expect("an answer");
    assert_eq!(answer, (200, "first line\n".to_owned()));
    assert!(fake.asked()[0].contains("tail: Some(5)"), "{:?}", fake.asked());
    let (code, said) = ask(server.connect(&[]).await, get("/log?container=i", "localhost")).await.expect("an answer");
    assert_eq!(code, 400);
    assert!(said.contains(r#"container \"i\" in pod \"p\" is not available"#), "{said}");
}

#[tokio::test]
async fn a_log_is_told_over_a_websocket_as_well() {
    let (server, _stop) = serve(&Fake::default()).await;
    let mut socket = open(&server, "/log?container=a", "binary.k8s.io").await.expect("a log");
    let first = timeout(SOON, socket.next()).await.expect("in time").expect("a message").expect("no error");
    assert_eq!(first, Message::Binary("first line\n".into()));
    let last = timeout(SOON, socket.next()).await.expect("in time").expect("a message").expect("no error");
    assert!(matches!(last, Message::Close(_)), "{last:?}");
    assert!(open(&server, "/log?container=a", "v5.channel.k8s.io").await.is_err());
}

#[tokio::test]
async fn e8_a_log_too_many_is_refused_until_another_ends() {
    let streams = Streams::new(Arc::new(Fake::default()), CancellationToken::new());
    let pod = running_pod();
    let log = || {
        let request = Request::get("/log?container=a&follow=true").body(()).expect("a request");
        streams.serve(&pod, Subresource::Log, request)
    };
    let mut open = Vec::new();
    for _ in 0..1024 {
        open.push(log().await);
    }
    assert!(open.iter().all(|answer| answer.status() == 200));
    assert_eq!(log().await.status(), 429);
    open.pop();
    assert_eq!(log().await.status(), 200);
}

#[tokio::test]
async fn a_followed_log_comes_line_by_line_until_stop() {
    let fake = Fake::default();
    let (server, stop) = serve(&fake).await;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(server.connect(&["http/1.1"]).await)).await.expect("HTTP");
    tokio::spawn(connection);
    let response = sender.send_request(get("/log?container=a&follow=true", "localhost")).await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/plain");
    let mut body = response.into_body();
    let mut line = async || {
        timeout(SOON, body.frame())
            .await
            .expect("in time")
            .map(|frame| frame.expect("no error").into_data().expect("data"))
    };
    assert_eq!(line().await.as_deref(), Some(&b"first line\n"[..]));
    let mut log = fake.log.lock().expect("no panic").take().expect("a log");
    log.write_all(b"second line\n").await.expect("written");
    assert_eq!(line().await.as_deref(), Some(&b"second line\n"[..]));
    stop.cancel();
    assert_eq!(line().await, None);
}
