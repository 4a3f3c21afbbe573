//! Port-forward over SPDY, and the list of ports.

use super::{FORWARD_LIMIT, Pod, over_spdy, ports};
use crate::console::{Answer, Console, ConsoleError, ContainerRef, Duplex, ExecOptions, LogOptions, PodRef, Session};
use crate::query::Query;
use crate::streams::spdy::{Frame, Reset};
use crate::streams::tests::{Client, connection};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// A pod that echoes in capitals on port 7 until the client has said its last, and has no other port.
struct Echo;

impl Console for Echo {
    fn pods(&self) -> Vec<PodRef> {
        Vec::new()
    }

    fn logs<'a>(&'a self, _: &'a ContainerRef, _: LogOptions) -> Answer<'a, Box<dyn AsyncRead + Send + Unpin>> {
        unreachable!("not asked for here")
    }

    fn exec<'a>(&'a self, _: &'a ContainerRef, _: ExecOptions) -> Answer<'a, Session> {
        unreachable!("not asked for here")
    }

    fn attach<'a>(&'a self, _: &'a ContainerRef, _: ExecOptions) -> Answer<'a, Session> {
        unreachable!("not asked for here")
    }

    fn dial<'a>(&'a self, _: &'a ContainerRef, port: u16) -> Answer<'a, Box<dyn Duplex>> {
        Box::pin(async move {
            if port != 7 {
                return Err(ConsoleError::Failed("connection refused".to_owned()));
            }
            let (ours, mut theirs) = tokio::io::duplex(1 << 10);
            tokio::spawn(async move {
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).await.expect("read");
                all.make_ascii_uppercase();
                theirs.write_all(&all).await.expect("written");
            });
            Ok(Box::new(ours) as Box<dyn Duplex>)
        })
    }
}

fn start() -> (Client, tokio::task::JoinHandle<()>) {
    let gone = CancellationToken::new();
    let (client, server) = connection(&gone);
    let of = ContainerRef { namespace: "n".into(), pod: "p".into(), uid: "u".into(), container: String::new() };
    let pod = Pod { console: Arc::new(Echo), of };
    (client, tokio::spawn(async move { over_spdy(pod, server, &gone).await }))
}

async fn open(client: &mut Client, kind: &str, port: &str, id: &str) -> u32 {
    client.open(&[("streamtype", kind), ("port", port), ("requestid", id)]).await
}

#[tokio::test]
async fn connections_of_one_session_do_not_mix() {
    let (mut client, served) = start();
    let error0 = open(&mut client, "error", "7", "0").await;
    let error1 = open(&mut client, "error", "7", "1").await;
    let data1 = open(&mut client, "data", "7", "1").await;
    let data0 = open(&mut client, "data", "7", "0").await;
    client.data(data0, b"zero", true).await;
    client.data(data1, b"one", true).await;
    let answers = client.read([data0, data1, error0, error1]).await;
    assert_eq!(answers, ["ZERO", "ONE", "", ""]);
    client.send(Frame::GoAway { last: 0 }).await;
    assert_eq!(client.next().await, Some(Frame::GoAway { last: 0 }));
    drop(client);
    served.await.expect("served");
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_said_on_the_error_stream() {
    let (mut client, _served) = start();
    let error = open(&mut client, "error", "8", "0").await;
    let data = open(&mut client, "data", "8", "0").await;
    let [said, nothing] = client.read([error, data]).await;
    assert_eq!(said, "error forwarding port 8 to pod p, uid u: connection refused");
    assert_eq!(nothing, "");
}

/// `kubectl` does so when the pod hangs up before the local program does.
#[tokio::test]
async fn a_client_that_resets_its_data_is_told_that_there_was_no_error() {
    let (mut client, _served) = start();
    let error = open(&mut client, "error", "7", "0").await;
    let data = open(&mut client, "data", "7", "0").await;
    client.data(data, b"half", false).await;
    client.send(Frame::Reset { stream: data, reason: Reset::Cancel }).await;
    assert_eq!(client.read([error]).await, [""]);
}

async fn refusal(client: &mut Client) -> Option<(u32, Reset)> {
    loop {
        if let Frame::Reset { stream, reason } = client.next().await? {
            return Some((stream, reason));
        }
    }
}

#[tokio::test]
async fn streams_that_make_no_connection_are_refused() {
    let (mut client, _served) = start();
    for headers in [
        &[("streamtype", "data"), ("port", "0"), ("requestid", "0")][..],
        &[("streamtype", "data"), ("port", "70000"), ("requestid", "0")],
        &[("streamtype", "what"), ("port", "7"), ("requestid", "0")],
        &[("streamtype", "data"), ("port", "7")],
        &[("port", "7"), ("requestid", "0")],
    ] {
        let id = client.open(headers).await;
        assert_eq!(refusal(&mut client).await, Some((id, Reset::ProtocolError)), "{headers:?}");
    }
    open(&mut client, "data", "7", "1").await;
    let again = open(&mut client, "data", "7", "1").await;
    assert_eq!(refusal(&mut client).await, Some((again, Reset::ProtocolError)));
    let other_port = open(&mut client, "error", "8", "1").await;
    assert_eq!(refusal(&mut client).await, Some((other_port, Reset::ProtocolError)));
}

#[tokio::test]
async fn e8_connections_of_one_session_are_bounded() {
    let (mut client, _served) = start();
    for id in 0..FORWARD_LIMIT {
        open(&mut client, "error", "7", &id.to_string()).await;
        assert!(matches!(client.next().await, Some(Frame::SynReply { .. })));
    }
    let id = open(&mut client, "error", "7", "more").await;
    assert_eq!(refusal(&mut client).await, Some((id, Reset::RefusedStream)));
}

#[test]
fn ports_are_a_list_or_several() {
    let read = |query| ports(&Query::parse(Some(query))).map_err(|refusal| refusal.to_value()["code"].clone());
    assert_eq!(read("ports=80,8080"), Ok(vec![80, 8080]));
    assert_eq!(read("ports=80&ports=8080"), Ok(vec![80, 8080]));
    for bad in ["", "ports=", "ports=0", "ports=80,", "ports=65536", "ports=http"] {
        assert_eq!(read(bad), Err(400.into()), "{bad}");
    }
    assert!(ports(&Query::parse(Some(&format!("ports=1{}", ",1".repeat(128))))).is_err());
}
