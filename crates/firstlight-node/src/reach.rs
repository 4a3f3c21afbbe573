//! Does an address answer? Network probes and hooks, tried once (sections 1.15 and 1.16).

use bytes::Bytes;
use firstlight_pod::spec::Handler;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
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

/// Tries it, for at most `limit`. An exec handler is not for here: it fails by name.
pub(crate) async fn try_once(
    handler: &Handler,
    pod: Option<&str>,
    wanted: Wanted,
    limit: Duration,
) -> Result<(), String> {
    match tokio::time::timeout(limit, reach(handler, pod, wanted)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
    }
}

async fn reach(handler: &Handler, pod: Option<&str>, wanted: Wanted) -> Result<(), String> {
    match handler {
        Handler::Http { host, port, path, https, headers } => {
            let host = host_or_pod(host, pod)?;
            let get = Get { host, port: *port, path, headers };
            let status = match (*https, wanted) {
                (false, _) => get.plain().await,
                (true, Wanted::Success) => get.over_tls().await,
                // A hook's server may speak plain HTTP all the same (HOK-4).
                (true, Wanted::Answer) => match get.over_tls().await {
                    Ok(status) => Ok(status),
                    Err(error) => get.plain().await.map_err(|_| error),
                },
            }
            .map_err(|error| format!("Get \"{}\": {error}", get.url(*https)))?;
            match wanted {
                Wanted::Success if !(200..400).contains(&status) => {
                    Err(format!("HTTP probe failed with statuscode: {status}"))
                }
                Wanted::Success | Wanted::Answer => Ok(()),
            }
        }
        Handler::Tcp { host, port } => match wanted {
            Wanted::Success => connect(host_or_pod(host, pod)?, *port).await.map(drop),
            // HOK-7.
            Wanted::Answer => Err("invalid handler: tcpSocket is not supported for hooks".to_owned()),
        },
        Handler::Sleep(length) => {
            tokio::time::sleep(Duration::from_millis(length.0)).await;
            Ok(())
        }
        Handler::Exec(_) => Err("a command runs in the container, not on the network".to_owned()),
    }
}

fn host_or_pod<'a>(host: &'a str, pod: Option<&'a str>) -> Result<&'a str, String> {
    if host.is_empty() { pod.ok_or_else(|| "the pod has no address".to_owned()) } else { Ok(host) }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    TcpStream::connect((host, port)).await.map_err(|error| format!("dial tcp {host}:{port}: {error}"))
}

struct Get<'a> {
    host: &'a str,
    port: u16,
    path: &'a str,
    headers: &'a [(String, String)],
}

impl Get<'_> {
    fn url(&self, https: bool) -> String {
        let scheme = if https { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
    }

    async fn plain(&self) -> Result<u16, String> {
        self.ask(connect(self.host, self.port).await?).await
    }

    async fn over_tls(&self) -> Result<u16, String> {
        let stream = connect(self.host, self.port).await?;
        let name = ServerName::try_from(self.host.to_owned()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::clone(&UNVERIFIED));
        self.ask(connector.connect(name, stream).await.map_err(|error| error.to_string())?).await
    }

    async fn ask(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<u16, String> {
        let said = |error: hyper::Error| error.to_string();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(self.request()?).await.map_err(said);
        // The status is all that is wanted: the body need not be read.
        connection.abort();
        Ok(answer?.status().as_u16())
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, String> {
        let named = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let path = if self.path.starts_with('/') { self.path.to_owned() } else { format!("/{}", self.path) };
        let mut request = Request::get(path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        for (name, value) in [
            ("Host", format!("{}:{}", self.host, self.port)),
            ("User-Agent", AGENT.to_owned()),
            ("Accept", "*/*".to_owned()),
        ] {
            if !named(name) {
                request = request.header(name, value);
            }
        }
        request.body(Empty::new()).map_err(|error| error.to_string())
    }
}

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
