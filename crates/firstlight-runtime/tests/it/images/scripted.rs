//! A registry on loopback that does what a test tells it to, however wrong, and remembers what it was asked.

use crate::images::artifact::{Artifact, digest};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection breaks after this many bytes of the body.
    pub(crate) breaks_after: Option<usize>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into(), breaks_after: None }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn redirect(to: impl Into<String>) -> Answer {
        Answer::new(307, "").header("Location", to)
    }
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The registry; it stops when dropped.
pub(crate) struct Scripted {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    log: Arc<Mutex<Vec<Asked>>>,
    stopping: Arc<AtomicBool>,
    accepting: Option<thread::JoinHandle<()>>,
}

impl Scripted {
    pub(crate) fn new(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Scripted {
        Scripted::start(None, script)
    }

    /// The same, behind TLS.
    pub(crate) fn with_tls(
        tls: rustls::ServerConfig,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Scripted {
        Scripted::start(Some(Arc::new(tls)), script)
    }

    fn start(
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (log, stopping) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let accepting = thread::spawn({
            let (log, stopping, script) = (Arc::clone(&log), Arc::clone(&stopping), Arc::new(script));
            move || {
                for stream in listener.incoming() {
                    if stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    let (log, script): (Arc<Mutex<Vec<Asked>>>, Arc<Script>) = (Arc::clone(&log), script.clone());
                    let (stream, tls) = (stream.unwrap(), tls.clone());
                    thread::spawn(move || match tls {
                        None => serve(stream, &log, &*script),
                        Some(tls) => {
                            let tls = rustls::ServerConnection::new(tls).unwrap();
                            serve(rustls::StreamOwned::new(tls, stream), &log, &*script);
                        }
                    });
                }
            }
        });
        Scripted { address, log, stopping, accepting: Some(accepting) }
    }

    /// Serves these images as they are, each under its repository, with the tag `latest`.
    pub(crate) fn serving(images: Vec<(&'static str, Artifact)>) -> Scripted {
        Scripted::new(move |asked| serve_images(&images, asked))
    }

    /// Everything asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// How many requests had this in their path.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.asked().iter().filter(|asked| asked.path.contains(part)).count()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        TcpStream::connect(&self.address).ok();
        if let Some(accepting) = self.accepting.take() {
            accepting.join().ok();
        }
    }
}

/// What a good registry answers.
pub(crate) fn serve_images(images: &[(&'static str, Artifact)], asked: &Asked) -> Answer {
    let path = asked.path.split('?').next().unwrap_or_default();
    for (repository, image) in images {
        let Some(rest) = path.strip_prefix(&format!("/v2/{repository}/")) else { continue };
        let manifest = image.manifest_bytes();
        let named = |name: &str| name == "latest" || name == digest(&manifest);
        if rest.strip_prefix("manifests/").is_some_and(named) {
            return Answer::new(200, manifest.clone())
                .header("Content-Type", image.manifest["mediaType"].as_str().unwrap_or("application/json"))
                .header("Docker-Content-Digest", digest(&manifest));
        }
        let blob = image.blobs().into_iter().find(|blob| rest == format!("blobs/{}", digest(blob)));
        if let Some(blob) = blob {
            return Answer::new(200, blob).header("Content-Type", "application/octet-stream");
        }
    }
    Answer::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#)
}

fn serve(stream: impl Read + Write, log: &Mutex<Vec<Asked>>, script: &Script) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream) {
        log.lock().unwrap().push(asked.clone());
        if write(stream.get_mut(), &asked, script(&asked)).is_none() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, path, headers, body: String::from_utf8(body).unwrap() })
}

/// `None` if the connection is over.
fn write(stream: &mut impl Write, asked: &Asked, answer: Answer) -> Option<()> {
    let Answer { status, headers, body, breaks_after } = answer;
    let mut head = format!("HTTP/1.1 {status} X\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if asked.method == "HEAD" {
        return Some(());
    }
    let sent = &body[..breaks_after.unwrap_or(body.len())];
    stream.write_all(sent).ok()?;
    stream.flush().ok()?;
    breaks_after.is_none().then_some(())
}
