//! The port through which the server reaches containers: logs, exec, attach, port-forward.
//!
//! Streams are not decisions: they do not pass through the worker. The facade implements this with the runtime.

use std::future::Future;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};

/// A pod's container, as the runtime knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRef {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's UID.
    pub uid: String,
    /// The container's name.
    pub container: String,
}

/// A pod with anything on the machine, whatever the API says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

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

/// A process to run in a container, or to attach to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecOptions {
    /// The command; ignored when attaching.
    pub command: Vec<String>,
    /// Connect stdin.
    pub stdin: bool,
    /// Connect stdout.
    pub stdout: bool,
    /// Connect stderr; not with a terminal.
    pub stderr: bool,
    /// Give it a terminal.
    pub tty: bool,
}

/// A running session. Dropping it ends the process.
pub struct Session {
    /// Writes to its stdin; dropping it closes stdin.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Its stdout, or its terminal's output.
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Its stderr.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Terminal sizes to apply: columns, rows.
    pub resize: Option<tokio::sync::mpsc::Sender<(u16, u16)>>,
    /// Its exit code, when it ends.
    pub exit: Answer<'static, i32>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Why the console could not do it.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The container or its log is not there (any more).
    #[error("{0}")]
    NotFound(String),
    /// It is there but not in the state this needs.
    #[error("{0}")]
    BadState(String),
    /// The runtime failed.
    #[error("{0}")]
    Failed(String),
}

/// A boxed answer.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ConsoleError>> + Send + 'a>>;

/// Anything that reads and writes.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Reaches containers.
pub trait Console: Send + Sync + 'static {
    /// Every pod with anything on the machine: those whose objects are gone are among them until all of theirs is.
    fn pods(&self) -> Vec<PodRef>;

    /// The container's log as plain text.
    fn logs<'a>(&'a self, of: &'a ContainerRef, options: LogOptions) -> Answer<'a, Box<dyn AsyncRead + Send + Unpin>>;

    /// Runs a command in the container, confined as the container is.
    fn exec<'a>(&'a self, of: &'a ContainerRef, options: ExecOptions) -> Answer<'a, Session>;

    /// Connects to the container's main process.
    fn attach<'a>(&'a self, of: &'a ContainerRef, options: ExecOptions) -> Answer<'a, Session>;

    /// Opens a connection to a port inside the pod's network namespace.
    fn dial<'a>(&'a self, of: &'a ContainerRef, port: u16) -> Answer<'a, Box<dyn Duplex>>;
}

/// The console of an API with no engine behind it: nothing runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingRuns;

fn nothing<'a, T>() -> Answer<'a, T> {
    Box::pin(async { Err(ConsoleError::NotFound("nothing runs here".to_owned())) })
}

impl Console for NothingRuns {
    fn pods(&self) -> Vec<PodRef> {
        Vec::new()
    }

    fn logs<'a>(&'a self, _: &'a ContainerRef, _: LogOptions) -> Answer<'a, Box<dyn AsyncRead + Send + Unpin>> {
        nothing()
    }

    fn exec<'a>(&'a self, _: &'a ContainerRef, _: ExecOptions) -> Answer<'a, Session> {
        nothing()
    }

    fn attach<'a>(&'a self, _: &'a ContainerRef, _: ExecOptions) -> Answer<'a, Session> {
        nothing()
    }

    fn dial<'a>(&'a self, _: &'a ContainerRef, _: u16) -> Answer<'a, Box<dyn Duplex>> {
        nothing()
    }
}
