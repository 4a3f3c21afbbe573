//! A process's streams moved to and from the client's until it ends; then the verdict.
//!
//! Both carriers give the same [`Remote`]; the answer at the end is the `Status` object of version 4 of the
//! protocol. Source: Kubernetes, `k8s.io/kubelet/pkg/cri/streaming/remotecommand`.

use crate::console::{ConsoleError, Session};
use crate::streams::flow::{Inflow, Outflow, pump_in, pump_out};
use firstlight_api::status_error::StatusError;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A terminal's size is some 30 bytes of JSON; a client that sends more without a whole one sends no sizes.
const SIZE_LIMIT: usize = 1 << 10;

/// The client's ends.
#[derive(Default)]
pub(super) struct Remote {
    pub(super) stdin: Option<Inflow>,
    pub(super) stdout: Option<Outflow>,
    pub(super) stderr: Option<Outflow>,
    pub(super) resize: Option<Inflow>,
}

/// What the client is told at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::streams) enum Verdict {
    /// The process's exit code.
    Exit,
    /// Only that it ended: who attaches to a container learns its exit code from the pod's status.
    End,
}

/// Connects `session` with `remote` until the process has ended and all it wrote is sent. `None` if the client was
/// `gone` before: the process is ended then, by dropping its session.
pub(super) async fn run(session: Session, remote: Remote, verdict: Verdict, gone: &CancellationToken) -> Option<Value> {
    let Session { stdin, stdout, stderr, resize, exit } = session;
    let inward = async {
        if let (Some(from), Some(to)) = (remote.stdin, stdin) {
            // The process may close its stdin whenever it likes.
            let _ = pump_in(from, to).await;
        }
    };
    let sizes = async {
        if let (Some(from), Some(to)) = (remote.resize, resize) {
            pump_sizes(from, to).await;
        }
    };
    let outward = async {
        let out = async {
            if let (Some(from), Some(to)) = (stdout, remote.stdout) { pump_out(from, to).await } else { Ok(()) }
        };
        let err = async {
            if let (Some(from), Some(to)) = (stderr, remote.stderr) { pump_out(from, to).await } else { Ok(()) }
        };
        tokio::try_join!(out, err)
    };
    let ended = async {
        let (exit, sent) = tokio::join!(exit, outward);
        sent.ok().map(|_| status(verdict, exit))
    };
    let aside = async {
        tokio::join!(inward, sizes);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = ended => ended,
        () = aside => None,
        () = gone.cancelled() => None,
    }
}

/// Sizes come as JSON objects one after another, not necessarily one per piece.
async fn pump_sizes(mut from: Inflow, to: mpsc::Sender<(u16, u16)>) {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Size {
        width: u16,
        height: u16,
    }
    let mut kept = Vec::new();
    while let Some(Ok(bytes)) = from.recv().await {
        kept.extend_from_slice(&bytes);
        let mut sizes = serde_json::Deserializer::from_slice(&kept).into_iter::<Size>();
        let mut last = None;
        let read = loop {
            match sizes.next() {
                Some(Ok(size)) => last = Some((size.width, size.height)),
                Some(Err(error)) if !error.is_eof() => return,
                Some(Err(_)) | None => break sizes.byte_offset(),
            }
        };
        kept.drain(..read);
        if kept.len() > SIZE_LIMIT {
            return;
        }
        if let Some(size) = last
            && to.send(size).await.is_err()
        {
            return;
        }
    }
}

/// The `Status` object that ends the protocol.
fn status(verdict: Verdict, exit: Result<i32, ConsoleError>) -> Value {
    match (exit, verdict) {
        (Ok(0), Verdict::Exit) | (Ok(_), Verdict::End) => json!({ "metadata": {}, "status": "Success" }),
        (Ok(code), Verdict::Exit) => json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit code {code}"),
            "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
        }),
        (Err(error), _) => StatusError::internal(error).to_value(),
    }
}

#[cfg(test)]
mod tests;
