//! A container's log, read: by people through the server, and by its own shim for a last word.
//!
//! The shim writes (LOG-5, `shim/output.rs`) `N.log`, and renames it to `N.log.K` with K counting up when it is full. A
//! reader that goes from file to file by these numbers sees every entry once, rotated under it or not (fault row 21).

mod files;
mod line;
mod reader;

use crate::runtime::{Runtime, View};
use crate::session::SessionError;
use files::Files;
use firstlight_pod::PodId;
use reader::Reader;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;

/// What part of a log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogOptions {
    /// The instance before the current one.
    pub previous: bool,
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// Only the last so many lines.
    pub tail: Option<u64>,
    /// Only lines not older than this instant, milliseconds since the Unix epoch.
    pub since: Option<u64>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Stop after so many bytes.
    pub limit: Option<u64>,
}

/// Bytes on their way to a reader of a log.
const BUFFER: usize = 64 << 10;

/// How often a followed log is looked at: what a person cannot see, at a cost that cannot be measured.
const LOOK: Duration = Duration::from_millis(50);

impl Runtime {
    /// A container's log as plain text: the current instance's, whether it runs or has ended.
    ///
    /// # Errors
    /// `NotFound` if there is no such log, in Kubernetes' words where it has them (LOG-4).
    pub async fn logs(
        &self,
        pod: &PodId,
        container: &str,
        options: LogOptions,
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, SessionError> {
        let view = self.view(&pod.uid).await;
        let dir = self.machine.layout.logs(pod, container);
        let root = self.machine.layout.data.join("logs");
        let (name, of) = (container.to_owned(), pod.name.clone());
        let reader = tokio::task::spawn_blocking(move || {
            let dir = dir.strip_prefix(&root).unwrap_or(&dir);
            let attempts = Files::attempts(&root, dir);
            let attempt = match (options.previous, attempts.as_slice()) {
                (false, [.., newest]) => *newest,
                (true, [.., before, _]) => *before,
                (true, _) => {
                    return Err(format!("previous terminated container {name:?} in pod {of:?} not found"));
                }
                (false, []) => return Err(format!("container {name:?} in pod {of:?} has no log yet")),
            };
            Ok((attempt, Reader::new(Files::open(&root, dir, attempt), options)))
        });
        let (attempt, reader) =
            reader.await.map_err(|error| SessionError::Failed(error.to_string()))?.map_err(SessionError::NotFound)?;
        let running = view.filter(|_| options.follow && !options.previous);
        let (ours, theirs) = duplex(BUFFER);
        tokio::spawn(send(reader, ours, running, container.to_owned(), attempt));
        Ok(Box::new(theirs))
    }
}

/// Sends a log until its end; while its container runs, it has none.
async fn send(
    reader: Reader,
    mut to: DuplexStream,
    running: Option<watch::Receiver<View>>,
    container: String,
    attempt: u32,
) {
    let mut reader = Some(reader);
    while let Some(mut now) = reader.take() {
        // Looked at before reading: what is written before the end is then read after it.
        let runs = running.as_ref().is_some_and(|view| is_running(&view.borrow(), &container, attempt));
        let read = tokio::task::spawn_blocking(move || {
            let bytes = now.read();
            (now, bytes)
        });
        let Ok((now, bytes)) = read.await else { return };
        if !bytes.is_empty() {
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        } else if !runs {
            return;
        } else {
            tokio::time::sleep(LOOK).await;
        }
        if !now.is_done() {
            reader = Some(now);
        }
    }
}

fn is_running(view: &View, container: &str, attempt: u32) -> bool {
    view.newest.get(container).is_some_and(|(newest, ended)| *newest == attempt && !ended)
}

/// The end of an attempt's log as plain text: at most so many lines and bytes.
#[must_use]
pub(crate) fn tail(dir: &Path, attempt: u32, lines: u64, bytes: usize) -> String {
    let files = Files::open(dir, Path::new("."), attempt);
    let mut reader = Reader::new(files, LogOptions { tail: Some(lines), ..LogOptions::default() });
    let mut text = Vec::new();
    loop {
        let more = reader.read();
        if more.is_empty() {
            break;
        }
        text.extend_from_slice(&more);
    }
    let from = text.len().saturating_sub(bytes);
    String::from_utf8_lossy(&text[from..]).into_owned()
}

#[cfg(test)]
mod tests;
