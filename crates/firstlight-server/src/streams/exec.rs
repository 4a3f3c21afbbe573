//! `exec` and `attach`: a process in a container connected to a client, by channels or by SPDY streams.
//!
//! Source: Kubernetes, `k8s.io/kubelet/pkg/cri/streaming/remotecommand`.

mod process;

use super::channels::Channels;
use super::flow::Outflow;
use super::spdy::session::{Session as Connection, StreamWriter};
use super::websocket::Socket;
use crate::console::{ExecOptions, Session};
use crate::query::Query;
use bytes::Bytes;
use firstlight_api::status_error::StatusError;
use process::Remote;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(super) use process::Verdict;

/// How long a SPDY client may take to open the streams of a session: as upstream.
const STREAMS_WITHIN: Duration = Duration::from_secs(30);

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;

/// What the query of an exec or an attach asks for.
pub(super) fn options(query: &Query, verdict: Verdict) -> Result<ExecOptions, StatusError> {
    let asked = |name| query.flag(name).unwrap_or(false);
    let tty = asked("tty");
    let options = ExecOptions {
        command: query.all("command").map(str::to_owned).collect(),
        stdin: asked("stdin"),
        stdout: asked("stdout"),
        // A terminal has one output: clients that ask for both mean that.
        stderr: asked("stderr") && !tty,
        tty,
    };
    if !options.stdin && !options.stdout && !options.stderr {
        return Err(StatusError::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    if verdict == Verdict::Exit && options.command.is_empty() {
        return Err(StatusError::bad_request("you must specify at least one command for the container"));
    }
    Ok(options)
}

/// Connects a session with a client by channels: stdin, stdout, stderr, the status, sizes.
pub(super) async fn over_channels(
    session: Session,
    options: &ExecOptions,
    verdict: Verdict,
    socket: Socket,
    closing: bool,
    gone: &CancellationToken,
) {
    let (channels, [stdin, resize]) = Channels::start(socket, [STDIN, RESIZE], closing, gone);
    let open = |wanted: bool, channel| wanted.then(|| Outflow::Channel(channels.writer(channel)));
    let remote = Remote {
        stdin: options.stdin.then_some(stdin),
        stdout: open(options.stdout, STDOUT),
        stderr: open(options.stderr, STDERR),
        resize: options.tty.then_some(resize),
    };
    // An empty message on the first channel written to tells the client that the session is there.
    let first = if options.stdout {
        STDOUT
    } else if options.stderr {
        STDERR
    } else {
        ERROR
    };
    let _ = channels.writer(first).send(Bytes::new()).await;
    if let Some(status) = process::run(session, remote, verdict, gone).await {
        let _ = channels.writer(ERROR).send(status.to_string().into()).await;
        channels.close().await;
    }
}

/// Connects a session with a client by SPDY streams, one for each of the same.
pub(super) async fn over_spdy(
    session: Session,
    options: &ExecOptions,
    verdict: Verdict,
    mut connection: Connection,
    gone: &CancellationToken,
) {
    let Ok(Some((errors, remote))) = timeout(STREAMS_WITHIN, spdy_remote(&mut connection, options)).await else {
        tracing::debug!("a client did not open the streams of its session");
        return;
    };
    if let Some(status) = process::run(session, remote, verdict, gone).await {
        let mut errors = Outflow::Stream(errors);
        if errors.send(status.to_string().into()).await.is_ok() && errors.finish().await.is_ok() {
            connection.close().await;
        }
    }
}

/// Waits for the streams that belong to `options`. `None` if the client opens others, or no more.
async fn spdy_remote(connection: &mut Connection, options: &ExecOptions) -> Option<(StreamWriter, Remote)> {
    let mut wanted = vec!["error"];
    let named =
        [(options.stdin, "stdin"), (options.stdout, "stdout"), (options.stderr, "stderr"), (options.tty, "resize")];
    wanted.extend(named.iter().filter(|(asked, _)| *asked).map(|(_, name)| *name));
    let mut remote = Remote::default();
    let mut errors = None;
    while !wanted.is_empty() {
        let stream = connection.accept().await?;
        let name = stream.header("streamtype")?.to_owned();
        let place = wanted.iter().position(|wanted| *wanted == name)?;
        match wanted.swap_remove(place) {
            "stdin" => remote.stdin = Some(stream.inflow),
            "stdout" => remote.stdout = Some(Outflow::Stream(stream.outflow)),
            "stderr" => remote.stderr = Some(Outflow::Stream(stream.outflow)),
            "resize" => remote.resize = Some(stream.inflow),
            _ => errors = Some(stream.outflow),
        }
    }
    errors.map(|errors| (errors, remote))
}

#[cfg(test)]
mod tests;
