//! Does an address answer? Network probes and hooks, tried once (sections 1.15 and 1.16).

mod grpc;

use bytes::Bytes;
use firstlight_pod::spec::Handler;
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::io::ErrorKind;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What counts as success over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A status from 200 to 399: a probe (PRB-5).
    Success,
    /// Any answer: a hook (HOK-4).
    Answer,
}

/// What came of a try: a success, with what people should know about it if anything, or the cause of the failure.
pub(crate) type Tried = Result<Option<String>, String>;

/// Tries it, for at most `limit`. An exec handler is not for here: it fails by name.
pub(crate) async fn try_once(handler: &Handler, pod: Option<&str>, wanted: Wanted, limit: Duration) -> Tried {
    match tokio::time::timeout(limit, reach(handler, pod, wanted, limit)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(too_late(handler, pod, limit)),
    }
}

/// In Go's words, which people search for.
fn too_late(handler: &Handler, pod: Option<&str>, limit: Duration) -> String {
    match handler {
        Handler::Http { host, port, path, https, .. } => {
            let url = Url { https: *https, host: host_or_pod(host, pod).unwrap_or(host), port: *port, path };
            format!("Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
        }
        Handler::Tcp { host, port } => {
            format!("dial tcp {}:{port}: i/o timeout", host_or_pod(host, pod).unwrap_or(host))
        }
        Handler::Grpc { .. } => grpc::too_late(limit),
        Handler::Sleep(_) | Handler::Exec(_) => "context deadline exceeded".to_owned(),
    }
}

async fn reach(handler: &Handler, pod: Option<&str>, wanted: Wanted, limit: Duration) -> Tried {
    match handler {
        Handler::Http { host, port, path, https, headers } => {
            let url = Url { https: *https, host: host_or_pod(host, pod)?, port: *port, path };
            let outcome = match wanted {
                Wanted::Success => follow(url, headers).await,
                Wanted::Answer => get_any(url, headers).await,
            };
            let Answer { status, body, .. } = outcome.map_err(|error| format!("Get \"{url}\": {error}"))?;
            match (wanted, status) {
                (Wanted::Answer, _) | (Wanted::Success, 200..300) => Ok(None),
                (Wanted::Success, 300..400) => Ok(Some(format!("Probe terminated redirects, Response body: {body}"))),
                (Wanted::Success, _) => Err(format!("HTTP probe failed with statuscode: {status}")),
            }
        }
        Handler::Tcp { host, port } => match wanted {
            Wanted::Success => connect(host_or_pod(host, pod)?, *port).await.map(|_| None),
            // HOK-7.
            Wanted::Answer => Err("invalid handler: tcpSocket is not supported for hooks".to_owned()),
        },
        Handler::Grpc { port, service } => match wanted {
            Wanted::Success => {
                let host = host_or_pod("", pod)?;
                let address = format!("{host}:{port}");
                let unreached = |error| format!("error: failed to connect service at \"{address}\": {error}");
                let stream = connect(host, *port).await.map_err(unreached)?;
                grpc::check(stream, &address, service, limit).await.map(|()| None)
            }
            Wanted::Answer => Err("invalid handler: grpc is not supported for hooks".to_owned()),
        },
        Handler::Sleep(length) => {
            tokio::time::sleep(Duration::from_millis(length.0)).await;
            Ok(None)
        }
        Handler::Exec(_) => Err("a command runs in the container, not on the network".to_owned()),
    }
}

fn host_or_pod<'a>(host: &'a str, pod: Option<&'a str>) -> Result<&'a str, String> {
    if host.is_empty() { pod.ok_or_else(|| "the pod has no address".to_owned()) } else { Ok(host) }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    TcpStream::connect((host, port)).await.map_err(|error| {
        let why = match error.kind() {
            ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
            ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
            _ => error.to_string(),
        };
        format!("dial tcp {host}:{port}: {why}")
    })
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
struct Url<'a> {
    https: bool,
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl std::fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Url { https, host, port, path } = self;
        let (scheme, slash) = (if *https { "https" } else { "http" }, if path.starts_with('/') { "" } else { "/" });
        write!(f, "{scheme}://{host}:{port}{slash}{path}")
    }
}

/// A server's answer, as far as it matters.
struct Answer {
    status: u16,
    location: Option<String>,
    /// Read only of redirects.
    body: String,
}

/// The answer in the end: redirects to the same host are followed, others are an answer like any (PRB-5).
async fn follow(url: Url<'_>, headers: &[(String, String)]) -> Result<Answer, String> {
    let (mut https, mut port, mut path) = (url.https, url.port, url.path.to_owned());
    for _ in 0..=REDIRECTS {
        let answer = get(Url { https, host: url.host, port, path: &path }, headers).await?;
        let target = answer.location.as_ref().filter(|_| matches!(answer.status, 301 | 302 | 303 | 307 | 308));
        let Some(target) = target.and_then(|target| target.parse::<Uri>().ok()) else { return Ok(answer) };
        if let Some(host) = target.host() {
            if host != url.host {
                return Ok(answer);
            }
            https = target.scheme_str() == Some("https");
            port = target.port_u16().unwrap_or(if https { 443 } else { 80 });
        }
        path = target.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    }
    Err(format!("stopped after {REDIRECTS} redirects"))
}

/// Any answer at all; a server that was asked over TLS may speak plain HTTP all the same (HOK-4).
async fn get_any(url: Url<'_>, headers: &[(String, String)]) -> Result<Answer, String> {
    match get(url, headers).await {
        Err(error) if url.https => get(Url { https: false, ..url }, headers).await.map_err(|_| error),
        outcome => outcome,
    }
}

async fn get(url: Url<'_>, headers: &[(String, String)]) -> Result<Answer, String> {
    let stream = connect(url.host, url.port).await?;
    if !url.https {
        return ask(stream, url, headers).await;
    }
    let name = ServerName::try_from(url.host.to_owned()).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::clone(&UNVERIFIED));
    ask(connector.connect(name, stream).await.map_err(|error| error.to_string())?, url, headers).await
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: Url<'_>,
    headers: &[(String, String)],
) -> Result<Answer, String> {
    let said = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request(url, headers)?).await.map_err(said);
    let answer = match answer {
        Ok(answer) => Ok(read(answer).await),
        Err(error) => Err(error),
    };
    connection.abort();
    answer
}

/// The status, and of a redirect where to and what it says; other bodies are not wanted.
async fn read(answer: Response<Incoming>) -> Answer {
    let status = answer.status();
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = match status.is_redirection() {
        true => Limited::new(answer.into_body(), REDIRECT_BODY).collect().await.map(Collected::to_bytes),
        false => Ok(Bytes::new()),
    };
    // A body that is too long or breaks off tells nothing; the status stands.
    let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
    Answer { status: status.as_u16(), location, body }
}

fn request(url: Url<'_>, headers: &[(String, String)]) -> Result<Request<Empty<Bytes>>, String> {
    let named = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let path = if url.path.starts_with('/') { url.path.to_owned() } else { format!("/{}", url.path) };
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let host = format!("{}:{}", url.host, url.port);
    for (name, value) in [("Host", host.as_str()), ("User-Agent", AGENT), ("Accept", "*/*")] {
        if !named(name) {
            request = request.header(name, value);
        }
    }
    request.body(Empty::new()).map_err(|error| error.to_string())
}

/// As much of a redirect's body is read as upstream reads (`maxRespBodyLength` of `pkg/probe/http`).
const REDIRECT_BODY: usize = 10 << 10;

/// Redirects followed at most (upstream `pkg/probe/http`).
const REDIRECTS: usize = 10;

/// Servers tell probes from people by this prefix (upstream `pkg/probe/http`).
const AGENT: &str = concat!("kube-probe/firstlight-", env!("CARGO_PKG_VERSION"));

/// Probes do not check certificates: they ask whether a server answers, not who it is (upstream `pkg/probe/http`).
static UNVERIFIED: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let config = ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
    Arc::new(config.with_no_client_auth())
});

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
