//! How does a scene talk with a container? Over WebSockets, as Kubernetes' clients do: commands in channels, logs as they are.

use futures::StreamExt;
use http::Request;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// The channel of what a command prints, and that of what became of it (upstream `k8s.io/apimachinery`, remotecommand).
const STDOUT: u8 = 1;
const STATUS: u8 = 3;

/// What a shell command in a container prints, if it succeeds.
pub(crate) async fn run_in(client: &Client, pod: &str, container: &str, command: &str) -> Option<String> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("container", container).append_pair("stdout", "true").append_pair("stderr", "true");
    for word in ["/bin/sh", "-c", command] {
        query.append_pair("command", word);
    }
    let path = format!("/api/v1/namespaces/default/pods/{pod}/exec?{}", query.finish());
    let mut socket = open(client, &path, "v5.channel.k8s.io").await?;
    let (mut printed, mut status) = (Vec::new(), Vec::new());
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message {
            match bytes.split_first() {
                Some((&STDOUT, text)) => printed.extend_from_slice(text),
                Some((&STATUS, text)) => status.extend_from_slice(text),
                Some(_) | None => {}
            }
        }
    }
    let status: serde_json::Value = serde_json::from_slice(&status).ok()?;
    (status["status"] == "Success").then(|| String::from_utf8_lossy(&printed).trim_end().to_owned())
}

/// A container's log so far, told over a WebSocket.
pub(crate) async fn log(client: &Client, pod: &str, container: &str) -> Option<String> {
    let path = format!("/api/v1/namespaces/default/pods/{pod}/log?container={container}");
    let mut socket = open(client, &path, "binary.k8s.io").await?;
    let mut log = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message {
            log.extend_from_slice(&bytes);
        }
    }
    Some(String::from_utf8_lossy(&log).into_owned())
}

/// The connection once it has switched to this sub-protocol; nothing if the API does not switch.
async fn open(client: &Client, path: &str, protocol: &str) -> Option<WebSocketStream<TokioIo<Upgraded>>> {
    let request = Request::get(path)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header("Sec-WebSocket-Protocol", protocol);
    let answer = client.send(request.body(Body::empty()).unwrap()).await.ok()?;
    if answer.status() != 101 || answer.headers().get("Sec-WebSocket-Protocol")? != protocol {
        return None;
    }
    let upgraded = hyper::upgrade::on(answer).await.ok()?;
    Some(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await)
}
