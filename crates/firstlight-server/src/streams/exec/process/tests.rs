//! A process made of channels in memory, connected to a client made of the same.

use super::{Remote, Verdict, pump_sizes, run, status};
use crate::console::{ConsoleError, Session};
use crate::streams::flow::Outflow;
use crate::streams::spdy::Frame;
use crate::streams::tests::connection;
use bytes::Bytes;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

#[test]
fn the_verdict_is_version_4_of_the_protocol() {
    let success = json!({ "metadata": {}, "status": "Success" });
    assert_eq!(status(Verdict::Exit, Ok(0)), success);
    assert_eq!(status(Verdict::End, Ok(3)), success, "attach does not tell the exit code");
    let failure = status(Verdict::Exit, Ok(3));
    assert_eq!(failure["reason"], "NonZeroExitCode");
    assert_eq!(failure["details"]["causes"], json!([{ "reason": "ExitCode", "message": "3" }]));
    let broken = status(Verdict::End, Err(ConsoleError::Failed("no such file".to_owned())));
    assert_eq!(
        (&broken["status"], &broken["reason"], &broken["message"]),
        (&json!("Failure"), &json!("InternalError"), &json!("Internal error occurred: no such file"))
    );
}

async fn sizes(pieces: &[&str]) -> Vec<(u16, u16)> {
    let (client, from) = mpsc::channel(16);
    let (to, mut applied) = mpsc::channel(16);
    for piece in pieces {
        client.send(Ok(Bytes::copy_from_slice(piece.as_bytes()))).await.expect("sent");
    }
    drop(client);
    pump_sizes(from, to).await;
    let mut all = Vec::new();
    while let Some(size) = applied.recv().await {
        all.push(size);
    }
    all
}

#[tokio::test]
async fn sizes_are_read_however_they_are_cut() {
    assert_eq!(sizes(&[r#"{"Width":80,"Height":24}"#]).await, [(80, 24)]);
    assert_eq!(
        sizes(&["{\"Width\":80,", "\"Height\":24}\n{\"Wid", "th\":1,\"Height\":2}\n"]).await,
        [(80, 24), (1, 2)]
    );
    assert_eq!(sizes(&[r#"{"Width":1,"Height":1}{"Width":2,"Height":2}"#]).await, [(2, 2)], "only the last matters");
    assert_eq!(sizes(&["nonsense", r#"{"Width":1,"Height":1}"#]).await, []);
    assert_eq!(sizes(&[&"[".repeat(5000), r#"{"Width":1,"Height":1}"#]).await, []);
}

/// A process: what the test holds of it, and the session.
fn process() -> (tokio::io::DuplexStream, oneshot::Sender<i32>, Session) {
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let (ends, ended) = oneshot::channel();
    let (stdout, stdin) = tokio::io::split(theirs);
    let session = Session {
        stdin: Some(Box::new(stdin)),
        stdout: Some(Box::new(stdout)),
        stderr: None,
        resize: None,
        exit: Box::pin(async { ended.await.map_err(|_| ConsoleError::Failed("killed".to_owned())) }),
    };
    (ours, ends, session)
}

#[tokio::test]
async fn a_client_that_goes_ends_the_process() {
    let (mut ours, ends, session) = process();
    let gone = CancellationToken::new();
    gone.cancel();
    assert_eq!(run(session, Remote::default(), Verdict::Exit, &gone).await, None);
    assert!(ends.is_closed(), "the session is dropped");
    assert!(ours.write_all(b"x").await.is_err());
}

#[tokio::test]
async fn the_verdict_waits_for_the_last_byte() {
    let (mut ours, ends, session) = process();
    let gone = CancellationToken::new();
    let (mut client, mut connection) = connection(&gone);
    let id = client.open(&[]).await;
    let stdout = Outflow::Stream(connection.accept().await.expect("a stream").outflow);
    let remote = Remote { stdout: Some(stdout), ..Remote::default() };
    let running = tokio::spawn(async move { run(session, remote, Verdict::Exit, &gone).await });
    ends.send(0).expect("it listens");
    ours.write_all(b"late").await.expect("written");
    assert_eq!(client.next().await, Some(Frame::SynReply { stream: id, headers: vec![], fin: false }));
    let late = Frame::Data { stream: id, bytes: Bytes::from_static(b"late"), fin: false };
    assert_eq!(client.next().await, Some(late));
    assert!(!running.is_finished());
    drop(ours);
    assert_eq!(running.await.expect("joined").expect("a verdict")["status"], "Success");
}
