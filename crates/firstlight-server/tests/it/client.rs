//! A TLS client with or without a certificate, and a server for it to talk to.

use firstlight_server::body::{Body, full};
use firstlight_server::caller::Caller;
use firstlight_server::identity::{Credentials, Identity};
use firstlight_server::listener::{self, Limits, ListenerConfig};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

/// A server on a loopback port of its own, with its own authority.
pub(crate) struct Server {
    pub(crate) identity: Identity,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Serves `service` with `limits`, with certificates as of an engine that has run for a month.
    pub(crate) async fn start<S>(service: S, limits: Limits) -> Server
    where
        S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let dir = tempfile::tempdir().expect("a directory");
        let began = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 31);
        let identity = Identity::open(&dir.path().join("identity"), &[], began).expect("an identity");
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = tcp.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let config = ListenerConfig { tls: identity.tls(), hosts: identity.names().to_vec(), limits };
        let task = tokio::spawn(listener::serve(tcp, config, service, stop.clone()));
        Server { identity, address, stop, task, _dir: dir }
    }

    /// Serves the caller's name, and the path.
    pub(crate) async fn echo(limits: Limits) -> Server {
        let service = tower::service_fn(|request: Request<Incoming>| async move {
            let caller = request.extensions().get::<Caller>().expect("a caller");
            let text = format!("{} {:?} {}", caller.user, caller.groups, request.uri().path());
            Ok::<_, Infallible>(Response::new(full(text)))
        });
        Server::start(service, limits).await
    }

    /// A TLS connection as the administrator.
    pub(crate) async fn connect(&self, alpn: &[&str]) -> TlsStream<TcpStream> {
        let config = client_config(self.identity.authority(), Some(self.identity.admin()), alpn);
        connect(self.address, config).await.expect("a connection")
    }
}

/// How a client connects: whom it trusts, what it shows.
pub(crate) fn client_config(authority: &str, shows: Option<&Credentials>, alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = match shows {
        Some(Credentials { certificate, key }) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(vec![certificate], key).expect("a client certificate")
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// Connects to `address` as `127.0.0.1`.
pub(crate) async fn connect(address: SocketAddr, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

/// One HTTP/1.1 request.
pub(crate) async fn ask(stream: TlsStream<TcpStream>, request: Request<Full<Bytes>>) -> hyper::Result<(u16, String)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = read(sender.send_request(request).await?).await;
    connection.abort();
    answer
}

/// One HTTP/2 request.
pub(crate) async fn ask_h2(
    stream: TlsStream<TcpStream>,
    request: Request<Full<Bytes>>,
) -> hyper::Result<(u16, String)> {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = read(sender.send_request(request).await?).await;
    connection.abort();
    answer
}

async fn read(response: Response<Incoming>) -> hyper::Result<(u16, String)> {
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok((code, String::from_utf8_lossy(&bytes).into_owned()))
}

/// `GET path` with a Host header.
pub(crate) fn get(path: &str, host: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", host).body(Full::default()).expect("a request")
}
