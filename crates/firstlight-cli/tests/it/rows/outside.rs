//! What is outside of pods: a server on loopback, plain and with TLS, that hooks reach and images are pulled from.
//!
//! It notes in a scene's diary what it is asked, as `outside`: the name of the scene's pod is in the path, `/hears/POD/WORD`, or in the
//! repository, `KIND/POD:TAG`. KIND is how the registry is: `open`; `private`, for someone with the password secret; `broken`, which
//! fails; `slow`, which takes [`SLOW`] for the manifest.

use super::diary;
use super::layouts::{TAGS, layout, manifest};
use rcgen::CertifiedKey;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// How long the slow registry takes.
const SLOW: Duration = Duration::from_secs(2);

/// The longest request that is read.
const LONGEST: usize = 16 * 1024;

/// `someone:secret`, as HTTP's basic authentication writes it (RFC 7617).
const CREDENTIALS: &str = "Basic c29tZW9uZTpzZWNyZXQ=";

/// The server.
pub(crate) struct Outside {
    pub(crate) web: u16,
    pub(crate) tls: u16,
    diaries: Diaries,
}

/// The diaries, by the names of the scenes' pods. Written by the stages, read by every request.
type Diaries = Arc<Mutex<BTreeMap<String, PathBuf>>>;

impl Outside {
    /// Listens, until the runtime ends.
    pub(crate) async fn open() -> Outside {
        firstlight::install_crypto();
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let diaries = Diaries::default();
        let (web, tls) = (listen().await, listen().await);
        let outside = Outside { web: web.local_addr().unwrap().port(), tls: tls.local_addr().unwrap().port(), diaries };
        let known = outside.diaries.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = web.accept().await {
                tokio::spawn(serve(stream, known.clone()));
            }
        });
        let known = outside.diaries.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = tls.accept().await {
                let (acceptor, known) = (acceptor.clone(), known.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, known).await;
                    }
                });
            }
        });
        outside
    }

    /// From now on what is asked about this pod is noted there.
    pub(crate) fn knows(&self, pod: &str, diary: PathBuf) {
        self.diaries.lock().unwrap().insert(pod.to_owned(), diary);
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// One request, one answer.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, diaries: Diaries) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") && bytes.len() < LONGEST {
        match stream.read_u8().await {
            Ok(byte) => bytes.push(byte),
            Err(_) => return,
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut words = text.split_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let answer = answer(path, text.contains(CREDENTIALS), &diaries).await;
    let _ = stream.write_all(&answer.bytes(method == "HEAD")).await;
    let _ = stream.shutdown().await;
}

/// Status line, further headers, body.
struct Answer(&'static str, Vec<(&'static str, String)>, Vec<u8>);

impl Answer {
    fn bytes(self, head_only: bool) -> Vec<u8> {
        let Answer(status, headers, body) = self;
        let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut bytes = format!("{text}\r\n").into_bytes();
        if !head_only {
            bytes.extend(body);
        }
        bytes
    }
}

async fn answer(path: &str, known: bool, diaries: &Diaries) -> Answer {
    let note = |pod: &str, what: &str| {
        if let Some(diary) = diaries.lock().unwrap().get(pod) {
            diary::note(diary, "outside", what);
        }
    };
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["hears", pod, word] => {
            note(pod, &format!("hears {word}"));
            Answer("200 OK", Vec::new(), Vec::new())
        }
        ["v2", ""] => Answer("200 OK", Vec::new(), Vec::new()),
        ["v2", "private", ..] if !known => {
            let challenge = vec![("WWW-Authenticate", "Basic realm=\"rows\"".to_owned())];
            Answer("401 Unauthorized", challenge, Vec::new())
        }
        ["v2", kind, pod, "manifests", tag] => {
            note(pod, "is asked");
            match kind {
                "broken" => return Answer("500 Internal Server Error", Vec::new(), b"out of order".to_vec()),
                "slow" => tokio::time::sleep(SLOW).await,
                _ => {}
            }
            // By digest too: there is one manifest in a layout.
            let named = |wanted: &&&str| *wanted == &tag || manifest(&layout(wanted))["digest"] == *tag;
            let answer = TAGS.iter().find(named).map_or_else(not_here, |tag| image(tag));
            note(pod, "has answered");
            answer
        }
        ["v2", _, _, "blobs", digest] => blob(digest),
        _ => not_here(),
    }
}

fn image(tag: &str) -> Answer {
    let descriptor = manifest(&layout(tag));
    let text = |key: &str| descriptor[key].as_str().unwrap_or("").to_owned();
    let Answer(status, mut headers, body) = blob(&text("digest"));
    headers.push(("Content-Type", text("mediaType")));
    headers.push(("Docker-Content-Digest", text("digest")));
    Answer(status, headers, body)
}

fn blob(digest: &str) -> Answer {
    let Some((algorithm, hex)) = digest.split_once(':') else { return not_here() };
    let found = TAGS.iter().find_map(|tag| std::fs::read(layout(tag).join("blobs").join(algorithm).join(hex)).ok());
    found.map_or_else(not_here, |bytes| Answer("200 OK", Vec::new(), bytes))
}

fn not_here() -> Answer {
    Answer("404 Not Found", Vec::new(), Vec::new())
}
