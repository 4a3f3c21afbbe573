//! `exec` over SPDY, as clients before `kubectl` 1.30 speak it.

use super::{Verdict, options, over_spdy};
use crate::console::{ExecOptions, Session};
use crate::query::Query;
use crate::streams::spdy::{Frame, Reset};
use crate::streams::tests::connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A process that copies its stdin to its stdout, says `done` on its stderr, and ends with 3.
fn copier() -> (Session, mpsc::Receiver<(u16, u16)>) {
    let (stdin, mut input) = tokio::io::duplex(64);
    let (mut output, stdout) = tokio::io::duplex(64);
    let (mut errors, stderr) = tokio::io::duplex(64);
    let (resize, sizes) = mpsc::channel(4);
    let exit = async move {
        let mut all = Vec::new();
        input.read_to_end(&mut all).await.expect("read");
        output.write_all(&all).await.expect("written");
        errors.write_all(b"done").await.expect("written");
        Ok(3)
    };
    let session = Session {
        stdin: Some(Box::new(stdin)),
        stdout: Some(Box::new(stdout)),
        stderr: Some(Box::new(stderr)),
        resize: Some(resize),
        exit: Box::pin(exit),
    };
    (session, sizes)
}

const ALL: ExecOptions = ExecOptions { command: Vec::new(), stdin: true, stdout: true, stderr: true, tty: false };

#[tokio::test]
async fn stdin_stdout_stderr_and_the_exit_code_have_a_stream_each() {
    let gone = CancellationToken::new();
    let (mut client, server) = connection(&gone);
    let served = tokio::spawn(async move {
        over_spdy(copier().0, &ALL, Verdict::Exit, server, &gone).await;
    });
    let mut streams = [0; 4];
    for (id, name) in streams.iter_mut().zip(["error", "stdin", "stdout", "stderr"]) {
        *id = client.open(&[("streamtype", name)]).await;
    }
    let [error, stdin, stdout, stderr] = streams;
    client.data(stdin, b"there and back", true).await;
    let [out, err, status] = client.read([stdout, stderr, error]).await;
    assert_eq!((out.as_str(), err.as_str()), ("there and back", "done"));
    let status: serde_json::Value = serde_json::from_str(&status).expect("a Status");
    assert_eq!(status["details"]["causes"][0]["message"], "3");
    assert_eq!(client.next().await, Some(Frame::GoAway { last: 0 }));
    drop(client);
    served.await.expect("served");
}

#[tokio::test]
async fn a_terminals_sizes_have_a_stream_too() {
    let gone = CancellationToken::new();
    let (mut client, server) = connection(&gone);
    let (session, mut sizes) = copier();
    let tty = ExecOptions { stderr: false, tty: true, ..ALL };
    tokio::spawn(async move { over_spdy(session, &tty, Verdict::Exit, server, &gone).await });
    for name in ["error", "stdin", "stdout"] {
        client.open(&[("streamtype", name)]).await;
    }
    let resize = client.open(&[("streamtype", "resize")]).await;
    client.data(resize, br#"{"Width":132,"Height":43}"#, false).await;
    assert_eq!(sizes.recv().await, Some((132, 43)));
}

#[tokio::test]
async fn a_client_that_opens_other_streams_is_left() {
    let gone = CancellationToken::new();
    let (mut client, server) = connection(&gone);
    let (session, sizes) = copier();
    client.open(&[("streamtype", "error")]).await;
    client.open(&[("streamtype", "stdwhat")]).await;
    over_spdy(session, &ALL, Verdict::Exit, server, &gone).await;
    assert!(sizes.is_closed(), "the process is not left alone");
}

#[tokio::test]
async fn a_client_that_resets_its_stdout_does_not_stop_the_process() {
    let gone = CancellationToken::new();
    let (mut client, server) = connection(&gone);
    let served = tokio::spawn(async move { over_spdy(copier().0, &ALL, Verdict::Exit, server, &gone).await });
    let mut streams = [0; 4];
    for (id, name) in streams.iter_mut().zip(["error", "stdin", "stdout", "stderr"]) {
        *id = client.open(&[("streamtype", name)]).await;
    }
    let [_, stdin, stdout, _] = streams;
    client.send(Frame::Reset { stream: stdout, reason: Reset::Cancel }).await;
    client.data(stdin, b"nobody hears this", true).await;
    drop(client);
    served.await.expect("served");
}

#[test]
fn what_is_asked_for_is_read_from_the_query() {
    let read = |query, verdict| {
        options(&Query::parse(Some(query)), verdict).map_err(|refusal| refusal.to_value()["message"].clone())
    };
    assert_eq!(
        read("command=sh&command=-c&command=echo+a%26b&stdin=true&stdout=1&stderr=true", Verdict::Exit),
        Ok(ExecOptions { command: ["sh", "-c", "echo a&b"].map(str::to_owned).to_vec(), ..ALL })
    );
    let tty = read("command=sh&stdin=true&stdout=true&stderr=true&tty=true", Verdict::Exit).expect("options");
    assert!(tty.tty && !tty.stderr, "a terminal has one output");
    assert_eq!(read("stdout=true", Verdict::End), Ok(ExecOptions { stdout: true, ..ExecOptions::default() }));
    assert_eq!(read("command=ls", Verdict::Exit), Err("you must specify at least 1 of stdin, stdout, stderr".into()));
    assert_eq!(
        read("stdout=true", Verdict::Exit),
        Err("you must specify at least one command for the container".into())
    );
}
