//! Streams into and out of containers: exec, attach, port-forward. Asked by whoever serves them to people.
//!
//! Each session is a connection of its own to the pod's shim; descriptors travel over it, so a container's bytes pass
//! through no third process. Closing the connection ends what it began: a session dropped half-way leaves no process
//! behind (fault row 74).

mod terminal;

use crate::runtime::{Link, Runtime};
use crate::wire::{Exec, Purpose, Refusal, Streams, Told};
use firstlight_pod::PodId;
use rustix::fd::OwnedFd;
use rustix::pipe::{PipeFlags, pipe_with};
use std::future::Future;
use std::io;
use std::pin::Pin;
use terminal::Terminal;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

/// Terminal sizes on their way: people drag windows, and only the newest size matters in the end.
const SIZES: usize = 8;

/// A process to run in a container, or which of its main process's streams to attach to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecOptions {
    /// The command, taken literally; ignored when attaching.
    pub command: Vec<String>,
    /// Connect stdin.
    pub stdin: bool,
    /// Connect stdout.
    pub stdout: bool,
    /// Connect stderr; not with a terminal.
    pub stderr: bool,
    /// Give it a terminal; when attaching, its main process has one or has not.
    pub tty: bool,
}

/// A running session. Dropping it ends the process, or detaches.
pub struct Session {
    /// Writes to its stdin; dropping it closes stdin.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Its stdout, or its terminal's output.
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Its stderr.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Terminal sizes to apply: columns, rows. Only with a terminal.
    pub resize: Option<mpsc::Sender<(u16, u16)>>,
    /// Its exit code, when it ends; 128 + n for death by signal n.
    pub exit: Pin<Box<dyn Future<Output = Result<i32, SessionError>> + Send>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Why a session could not begin, or broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The pod, the container or its log is not here (any more).
    #[error("{0}")]
    NotFound(String),
    /// It is here but not in the state this needs.
    #[error("{0}")]
    BadState(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

impl Runtime {
    /// Runs a command in a running container, confined as the container is (decision 5a).
    ///
    /// # Errors
    /// If the container does not run, or the command cannot be executed: in the container runtimes' words.
    pub async fn exec(&self, pod: &PodId, container: &str, options: ExecOptions) -> Result<Session, SessionError> {
        let ExecOptions { command, stdin, stdout, stderr, tty } = options;
        let streams = Streams { stdin: stdin && !tty, stdout: stdout && !tty, stderr: stderr && !tty };
        let (ours, theirs) = ends(streams)?;
        let exec = Exec { container: container.to_owned(), command, tty, streams };
        let (link, fd) = self.begin(pod, Purpose::Exec(exec), theirs).await?;
        if !tty {
            return Ok(ours.session(None, link));
        }
        let terminal = fd.ok_or_else(|| SessionError::Failed("no terminal came".to_owned()))?;
        let resize = resizer(terminal.try_clone().map_err(failed)?);
        let reader = Terminal::new(terminal.try_clone().map_err(failed)?).map_err(failed)?;
        let writer = Terminal::new(terminal).map_err(failed)?;
        Ok(Session {
            stdin: stdin.then(|| Box::new(writer) as Box<dyn AsyncWrite + Send + Unpin>),
            stdout: stdout.then(|| Box::new(reader) as Box<dyn AsyncRead + Send + Unpin>),
            stderr: None,
            resize: Some(resize),
            exit: exit(link),
        })
    }

    /// Connects to a running container's main process.
    ///
    /// # Errors
    /// If the container does not run.
    pub async fn attach(&self, pod: &PodId, container: &str, options: ExecOptions) -> Result<Session, SessionError> {
        let ExecOptions { command: _, stdin, stdout, stderr, tty: _ } = options;
        let streams = Streams { stdin, stdout, stderr };
        let (ours, theirs) = ends(streams)?;
        let purpose = Purpose::Attach { container: container.to_owned(), streams };
        let (link, terminal) = self.begin(pod, purpose, theirs).await?;
        Ok(ours.session(terminal.map(resizer), link))
    }

    /// Opens a connection to a port inside the pod's network namespace.
    ///
    /// # Errors
    /// If the pod has no sandbox, or nobody listens there.
    pub async fn dial(&self, pod: &PodId, port: u16) -> Result<TcpStream, SessionError> {
        let (_, socket) = self.begin(pod, Purpose::Dial { port }, Vec::new()).await?;
        let socket = socket.ok_or_else(|| SessionError::Failed("no connection came".to_owned()))?;
        TcpStream::from_std(std::net::TcpStream::from(socket)).map_err(failed)
    }

    /// Knocks at the pod's shim and waits for its word.
    async fn begin(
        &self,
        pod: &PodId,
        purpose: Purpose,
        fds: Vec<OwnedFd>,
    ) -> Result<(Link, Option<OwnedFd>), SessionError> {
        let gone = || SessionError::NotFound(format!("pod {}/{} has no sandbox here", pod.namespace, pod.name));
        let sandbox = self.view(&pod.uid).await.and_then(|view| view.borrow().sandbox);
        let run = self.machine.layout.sandbox_run(&pod.uid, sandbox.ok_or_else(gone)?);
        let mut link = Link::knock(&run, purpose, fds).await.map_err(|_| gone())?;
        match link.next().await.map_err(failed)? {
            Some(Told::Begun) => {
                let fd = link.take_fds().pop();
                Ok((link, fd))
            }
            Some(Told::Refused { reason, message }) => Err(match reason {
                Refusal::NotFound => SessionError::NotFound(message),
                Refusal::NotRunning => SessionError::BadState(message),
                Refusal::Failed => SessionError::Failed(message),
            }),
            Some(_) | None => Err(gone()),
        }
    }
}

/// The engine's ends of a session's pipes.
#[derive(Debug, Default)]
struct Ours {
    stdin: Option<pipe::Sender>,
    stdout: Option<pipe::Receiver>,
    stderr: Option<pipe::Receiver>,
}

impl Ours {
    fn session(self, resize: Option<mpsc::Sender<(u16, u16)>>, link: Link) -> Session {
        Session {
            stdin: self.stdin.map(|end| Box::new(end) as Box<dyn AsyncWrite + Send + Unpin>),
            stdout: self.stdout.map(|end| Box::new(end) as Box<dyn AsyncRead + Send + Unpin>),
            stderr: self.stderr.map(|end| Box::new(end) as Box<dyn AsyncRead + Send + Unpin>),
            resize,
            exit: exit(link),
        }
    }
}

/// Both ends of the pipes for these streams; theirs in the order of the protocol.
fn ends(streams: Streams) -> Result<(Ours, Vec<OwnedFd>), SessionError> {
    let mut ours = Ours::default();
    let mut theirs = Vec::new();
    if streams.stdin {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        ours.stdin = Some(pipe::Sender::from_owned_fd(write).map_err(failed)?);
        theirs.push(read);
    }
    for (wanted, end) in [(streams.stdout, &mut ours.stdout), (streams.stderr, &mut ours.stderr)] {
        if wanted {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
            *end = Some(pipe::Receiver::from_owned_fd(read).map_err(failed)?);
            theirs.push(write);
        }
    }
    Ok((ours, theirs))
}

/// Waits for the end. The connection lives as long as this does.
fn exit(mut link: Link) -> Pin<Box<dyn Future<Output = Result<i32, SessionError>> + Send>> {
    Box::pin(async move {
        match link.next().await.map_err(failed)? {
            Some(Told::Ended { code }) => Ok(code),
            Some(Told::Refused { message, .. }) => Err(SessionError::Failed(message)),
            Some(_) | None => Err(SessionError::Failed("the pod's sandbox ended first".to_owned())),
        }
    })
}

/// Applies sizes to a terminal until nobody sends any.
fn resizer(terminal: OwnedFd) -> mpsc::Sender<(u16, u16)> {
    let (sender, mut sizes) = mpsc::channel(SIZES);
    tokio::spawn(async move {
        while let Some((columns, rows)) = sizes.recv().await {
            // A terminal that is gone has no size; its end is told elsewhere.
            let _ = terminal::resize(&terminal, columns, rows);
        }
    });
    sender
}

fn failed(error: impl Into<io::Error>) -> SessionError {
    SessionError::Failed(error.into().to_string())
}
