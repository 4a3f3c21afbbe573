//! A console with make-believe containers: enough for every way to talk to one.

use firstlight_server::console::{
    Answer, Console, ConsoleError, ContainerRef, Duplex, ExecOptions, LogOptions, PodRef, Session,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

/// What it does by the first word of a command:
///
/// | word | process |
/// | --- | --- |
/// | `cat` | copies stdin to stdout, ends with 0 |
/// | `exit` | ends with the second word |
/// | `both` | `out` on stdout, `err` on stderr, ends with 0 |
/// | `sizes` | one line per terminal size, ends with 0 after as many as the second word says |
/// | `hang` | reads and writes nothing, never ends |
///
/// Attaching copies stdin to stdout. Port 7 echoes; port 80 answers one line with one line and hangs up; other ports
/// refuse.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    /// Every container meant, with what was wanted of it.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    /// The other end of the log that is followed.
    pub(crate) log: Arc<Mutex<Option<DuplexStream>>>,
    /// Closed when a `hang` process is dropped.
    pub(crate) hanging: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
}

impl Fake {
    fn note(&self, of: &ContainerRef, what: impl std::fmt::Debug) {
        let ContainerRef { namespace, pod, uid, container } = of;
        let line = format!("{namespace}/{pod}/{uid}/{container} {what:?}");
        self.asked.lock().expect("no panic").push(line);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

/// The process's ends of its streams.
struct Inside {
    stdin: ReadHalf<DuplexStream>,
    stdout: WriteHalf<DuplexStream>,
    stderr: DuplexStream,
    sizes: mpsc::Receiver<(u16, u16)>,
}

fn session(options: &ExecOptions, exit: impl FnOnce(Inside) -> Answer<'static, i32>) -> Session {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (out, input) = tokio::io::split(ours);
    let (stdin, stdout) = tokio::io::split(theirs);
    let (err, stderr) = tokio::io::duplex(64 << 10);
    let (resize, sizes) = mpsc::channel(4);
    let ExecOptions { stdin: wants_in, stdout: wants_out, stderr: wants_err, tty, command: _ } = *options;
    Session {
        stdin: wants_in.then(|| Box::new(input) as _),
        stdout: wants_out.then(|| Box::new(out) as _),
        stderr: wants_err.then(|| Box::new(err) as _),
        resize: tty.then_some(resize),
        exit: exit(Inside { stdin, stdout, stderr, sizes }),
    }
}

async fn cat(mut inside: Inside) -> Result<i32, ConsoleError> {
    let copied = tokio::io::copy(&mut inside.stdin, &mut inside.stdout).await;
    copied.map_err(|error| ConsoleError::Failed(error.to_string()))?;
    inside.stdout.shutdown().await.map_err(|error| ConsoleError::Failed(error.to_string()))?;
    Ok(0)
}

async fn command(words: Vec<String>, mut inside: Inside, hanging: mpsc::Sender<()>) -> Result<i32, ConsoleError> {
    let number = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    match words.first().map(String::as_str) {
        Some("cat") => cat(inside).await,
        Some("exit") => Ok(number),
        Some("both") => {
            inside.stdout.write_all(b"out").await.expect("written");
            inside.stderr.write_all(b"err").await.expect("written");
            Ok(0)
        }
        Some("sizes") => {
            for _ in 0..number {
                let (columns, rows) = inside.sizes.recv().await.expect("a size");
                inside.stdout.write_all(format!("{columns}x{rows}\n").as_bytes()).await.expect("written");
            }
            Ok(0)
        }
        Some("hang") => {
            hanging.closed().await;
            Ok(0)
        }
        other => Err(ConsoleError::Failed(format!("no such program: {other:?}"))),
    }
}

impl Console for Fake {
    fn pods(&self) -> Vec<PodRef> {
        Vec::new()
    }

    fn logs<'a>(&'a self, of: &'a ContainerRef, options: LogOptions) -> Answer<'a, Box<dyn AsyncRead + Send + Unpin>> {
        self.note(of, options);
        Box::pin(async move {
            let (mut writer, reader) = tokio::io::duplex(1 << 10);
            writer.write_all(b"first line\n").await.expect("written");
            if options.follow {
                *self.log.lock().expect("no panic") = Some(writer);
            }
            Ok(Box::new(reader) as Box<dyn AsyncRead + Send + Unpin>)
        })
    }

    fn exec<'a>(&'a self, of: &'a ContainerRef, options: ExecOptions) -> Answer<'a, Session> {
        self.note(of, &options);
        Box::pin(async move {
            match options.command.first().map(String::as_str) {
                Some("gone") => {
                    return Err(ConsoleError::NotFound(format!("container not found ({:?})", of.container)));
                }
                Some("stopped") => return Err(ConsoleError::BadState("the container is not running".to_owned())),
                _ => {}
            }
            let (hanging, watched) = mpsc::channel(1);
            *self.hanging.lock().expect("no panic") = Some(watched);
            let words = options.command.clone();
            Ok(session(&options, |inside| Box::pin(command(words, inside, hanging))))
        })
    }

    fn attach<'a>(&'a self, of: &'a ContainerRef, options: ExecOptions) -> Answer<'a, Session> {
        self.note(of, &options);
        Box::pin(async move { Ok(session(&options, |inside| Box::pin(cat(inside)))) })
    }

    fn dial<'a>(&'a self, of: &'a ContainerRef, port: u16) -> Answer<'a, Box<dyn Duplex>> {
        self.note(of, port);
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            match port {
                7 => tokio::spawn(async move {
                    let (mut reader, mut writer) = tokio::io::split(theirs);
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                    let _ = writer.shutdown().await;
                }),
                80 => tokio::spawn(async move {
                    let mut theirs = theirs;
                    let mut byte = [0];
                    while theirs.read_exact(&mut byte).await.is_ok() && byte != *b"\n" {}
                    let _ = theirs.write_all(b"hello from port 80\n").await;
                }),
                _ => return Err(ConsoleError::Failed(format!("dial tcp4 127.0.0.1:{port}: connection refused"))),
            };
            Ok(Box::new(ours) as Box<dyn Duplex>)
        })
    }
}

/// A generous bound for what must happen soon: a test that waits longer has failed.
pub(crate) const SOON: Duration = Duration::from_secs(20);
