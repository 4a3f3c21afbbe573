//! What is outside of pods: a server on loopback, plain and with TLS, that hooks reach and images are pulled from.
//!
//! It notes in a scene's diary what it is asked, as `outside`: the name of the scene's pod is in the path, `/hears/POD/WORD`, or in the
//! repository, `KIND/POD:TAG`. KIND is how the registry is: `open`; `private`, for someone with the password secret; `broken`, which
//! fails; `slow`, which takes [`SLOW`] for the manifest.

use super::diary;
use super::layouts::{Layouts, TAGS, manifest};
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
    /// The images that its registry has.
    pub(crate) layouts: Layouts,
    /// Written by the stages, read by every request.
    diaries: Mutex<BTreeMap<String, PathBuf>>,
}

impl Outside {
    /// Listens, until the runtime ends.
    pub(crate) async fn open() -> Arc<Outside> {
        firstlight::install_crypto();
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (web, tls) = (listen().await, listen().await);
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let outside = Arc::new(Outside {
            web: port(&web),
            tls: port(&tls),
            layouts: Layouts::assemble(),
            diaries: Mutex::default(),
        });
        let plain = outside.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = web.accept().await {
                tokio::spawn(serve(stream, plain.clone()));
            }
        });
        let secret = outside.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = tls.accept().await {
                let (acceptor, outside) = (acceptor.clone(), secret.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, outside).await;
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

    fn note(&self, pod: &str, what: &str) {
        if let Some(diary) = self.diaries.lock().unwrap().get(pod) {
            diary::note(diary, "outside", what);
        }
    }

    async fn answer(&self, path: &str, known: bool) -> Answer {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts[..] {
            ["hears", pod, word] => {
                self.note(pod, &format!("hears {word}"));
                Answer("200 OK", Vec::new(), Vec::new())
            }
            ["v2", ""] => Answer("200 OK", Vec::new(), Vec::new()),
            ["v2", "private", ..] if !known => {
                let challenge = vec![("WWW-Authenticate", "Basic realm=\"rows\"".to_owned())];
                Answer("401 Unauthorized", challenge, Vec::new())
            }
            ["v2", kind, pod, "manifests", tag] => {
                self.note(pod, "is asked");
                match kind {
                    "broken" => return Answer("500 Internal Server Error", Vec::new(), b"out of order".to_vec()),
                    "slow" => tokio::time::sleep(SLOW).await,
                    _ => {}
                }
                let answer = self.image(tag);
                self.note(pod, "has answered");
                answer
            }
            ["v2", _, _, "blobs", digest] => self.blob(digest),
            _ => not_here(),
        }
    }

    /// A manifest by tag or digest: there is one in a layout.
    fn image(&self, name: &str) -> Answer {
        let mut manifests = TAGS.iter().map(|tag| (tag, manifest(&self.layouts.of(tag))));
        let Some((_, descriptor)) = manifests.find(|(tag, manifest)| **tag == name || manifest["digest"] == *name)
        else {
            return not_here();
        };
        let text = |key: &str| descriptor[key].as_str().unwrap_or("").to_owned();
        let Answer(status, mut headers, body) = self.blob(&text("digest"));
        headers.push(("Content-Type", text("mediaType")));
        headers.push(("Docker-Content-Digest", text("digest")));
        Answer(status, headers, body)
    }

    fn blob(&self, digest: &str) -> Answer {
        let Some((algorithm, hex)) = digest.split_once(':') else { return not_here() };
        let file = |tag: &&str| self.layouts.of(tag).join("blobs").join(algorithm).join(hex);
        let found = TAGS.iter().find_map(|tag| std::fs::read(file(tag)).ok());
        found.map_or_else(not_here, |bytes| Answer("200 OK", Vec::new(), bytes))
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// One request, one answer.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, outside: Arc<Outside>) {
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
    let answer = outside.answer(path, text.contains(CREDENTIALS)).await;
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

fn not_here() -> Answer {
    Answer("404 Not Found", Vec::new(), Vec::new())
}
