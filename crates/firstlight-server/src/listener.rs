//! How requests come in: TLS with a required client certificate, HTTP/1.1 and HTTP/2, limits, Host and Origin.
//!
//! ```text
//!  accept ──► handshake (bounded, the oldest gives way) ──► caller from the certificate ──► admit (bounded per user)
//!         ──► HTTP/1.1 or HTTP/2 by ALPN ──► Host, Origin ──► the service, with the `Caller` in the extensions
//! ```
//!
//! There is no port without a certificate: not for health, not for discovery (S17). One task owns the counts; a
//! connection is a task. On stop no connection is accepted any more, and requests under way get [`DRAIN`].

use crate::body::Body;
use crate::caller::Caller;
use crate::failure::Failure;
use firstlight_api::status_error::StatusError;
use http::{HeaderMap, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

/// How long requests under way may take after stop.
pub const DRAIN: Duration = Duration::from_secs(2);

/// How much of anything one listener bears (E8, fault 71).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Handshakes under way. Strangers get no further than this, so when all places are taken the oldest gives
    /// way: a good client is through in milliseconds, a stalled one is the oldest.
    pub handshakes: usize,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// Connections of authenticated callers.
    pub connections: usize,
    /// Of these, how many of one user: a runaway component must leave room for the administrator.
    pub per_user: usize,
    /// How long a request's headers may take, and how long an idle HTTP/1.1 connection is kept.
    pub headers: Duration,
    /// How many bytes the headers of a request may have.
    pub header_bytes: usize,
    /// Requests at once on one HTTP/2 connection. `kubectl` and client-go multiplex watches: as upstream's default
    /// of 250 before it was lowered for the public internet.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            handshakes: 256,
            handshake: Duration::from_secs(10),
            connections: 2048,
            per_user: 1024,
            headers: Duration::from_secs(30),
            header_bytes: 64 << 10,
            streams: 250,
        }
    }
}

/// HTTP/2 peers that vanished without a word are found by a ping after this long without traffic.
const PING_EVERY: Duration = Duration::from_secs(30);

/// TCP peers that vanished without a word: seconds of silence before the kernel asks.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long to wait when the process is out of descriptors: accepting again at once would spin.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// What a listener needs to know.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// [`crate::identity::Identity::tls`].
    pub tls: Arc<ServerConfig>,
    /// The Host names that are served: [`crate::identity::Identity::names`]. Any other is refused, so that a name
    /// of an attacker's, made to point here, does not reach this API through a browser (S19).
    pub hosts: Vec<String>,
    /// How much it bears.
    pub limits: Limits,
}

/// Serves `service` on `listener` until `stop`, then drains. Every request has the [`Caller`] in its extensions.
///
/// The listener's address is the caller's choice: beyond loopback only on somebody's explicit word.
pub async fn serve<S>(listener: TcpListener, config: ListenerConfig, service: S, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let ListenerConfig { tls, hosts, limits } = config;
    let acceptor = TlsAcceptor::from(tls);
    let hosts: Arc<[String]> = hosts.into();
    let mut door = Door { limits, waiting: VecDeque::new(), present: HashMap::new() };
    let mut handshakes: JoinSet<Option<Guest>> = JoinSet::new();
    let mut connections: JoinSet<()> = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    door.make_room(handshakes.len());
                    door.waiting.push_back(handshakes.spawn(handshake(acceptor.clone(), stream, limits.handshake)));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
            },
            Some(shaken) = handshakes.join_next() => {
                if let Ok(Some(Guest { stream, caller })) = shaken && door.admits(&caller.user) {
                    let user = caller.user.clone();
                    let requests = Requests { hosts: Arc::clone(&hosts), caller, service: service.clone() };
                    let task = connections.spawn(converse(stream, requests, limits, stop.clone()));
                    door.present.insert(task.id(), user);
                }
            },
            Some(ended) = connections.join_next_with_id() => {
                // A connection whose service panicked gives its place back too.
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                door.present.remove(&id);
            }
        }
    }
    drop(listener);
    handshakes.abort_all();
    while connections.join_next().await.is_some() {}
}

/// Somebody who has shown a certificate.
struct Guest {
    stream: TlsStream<TcpStream>,
    caller: Caller,
}

/// Who is waiting and who is in.
struct Door {
    limits: Limits,
    /// Handshakes, oldest first; may hold finished ones.
    waiting: VecDeque<AbortHandle>,
    /// The user of each connection.
    present: HashMap<Id, String>,
}

impl Door {
    fn make_room(&mut self, under_way: usize) {
        while self.waiting.front().is_some_and(AbortHandle::is_finished) {
            self.waiting.pop_front();
        }
        if under_way >= self.limits.handshakes
            && let Some(oldest) = self.waiting.pop_front()
        {
            oldest.abort();
        }
    }

    fn admits(&self, user: &str) -> bool {
        let all = self.present.len();
        let own = self.present.values().filter(|present| *present == user).count();
        let admitted = all < self.limits.connections && own < self.limits.per_user;
        if !admitted {
            tracing::warn!(user, all, own, "too many connections: one is refused");
        }
        admitted
    }
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream, limit: Duration) -> Option<Guest> {
    match timeout(limit, shake(acceptor, stream)).await {
        Ok(Ok(guest)) => Some(guest),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took too long");
            None
        }
    }
}

async fn shake(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<Guest> {
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
    rustix::net::sockopt::set_tcp_keepidle(&stream, KEEPALIVE)?;
    let stream = acceptor.accept(stream).await?;
    let (_, connection) = stream.get_ref();
    let certificate = connection
        .peer_certificates()
        .and_then(<[_]>::first)
        .ok_or_else(|| io::Error::other("no client certificate"))?;
    let caller = Caller::from_certificate(certificate).map_err(io::Error::other)?;
    Ok(Guest { stream, caller })
}

/// Speaks HTTP on one connection until it ends.
async fn converse<S>(stream: TlsStream<TcpStream>, requests: Requests<S>, limits: Limits, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let user = requests.caller.user.clone();
    let second = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(stream);
    let service = hyper::service::service_fn(move |request| requests.clone().answer(request));
    let ended = if second {
        let connection = second_version(&limits).serve_connection(io, service);
        drained(connection, &stop, |connection| connection.graceful_shutdown()).await
    } else {
        let connection = first_version(&limits).serve_connection(io, service).with_upgrades();
        drained(connection, &stop, |connection| connection.graceful_shutdown()).await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, user, "a connection broke");
    }
}

/// Until the connection ends; at a stop it is told to, and has [`DRAIN`] for what it is about.
async fn drained<C>(connection: C, stop: &CancellationToken, finish: impl FnOnce(Pin<&mut C>)) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            finish(connection.as_mut());
            timeout(DRAIN, connection).await.unwrap_or(Ok(()))
        }
    }
}

fn first_version(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.headers).max_buf_size(limits.header_bytes);
    builder
}

fn second_version(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(limits.headers);
    builder
}

/// What every request of one connection passes through.
#[derive(Clone)]
struct Requests<S> {
    hosts: Arc<[String]>,
    caller: Caller,
    service: S,
}

impl<S> Requests<S>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    async fn answer(self, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        if let Err(refusal) = admissible(&self.hosts, request.uri(), request.headers()) {
            return Ok(Failure::from(refusal).response());
        }
        request.extensions_mut().insert(self.caller);
        self.service.oneshot(request).await
    }
}

/// Whether a request comes from a program that means this server, not from a page in a browser (S19).
///
/// The one Origin let through is the request's own `https://HOST`: Python's websocket-client, and with it the
/// Kubernetes client for Python, sends it always. No page has that origin, as no page is served here.
fn admissible(hosts: &[String], uri: &Uri, headers: &HeaderMap) -> Result<(), StatusError> {
    let said = headers.get_all(header::HOST).iter().map(|value| value.to_str().unwrap_or(""));
    let authorities: Vec<&str> = uri.authority().map(|authority| authority.as_str()).into_iter().chain(said).collect();
    let Some(own) = authorities.first() else {
        return Err(StatusError::bad_request("the request names no host"));
    };
    let known = |authority: &&&str| hosts.iter().any(|host| host.eq_ignore_ascii_case(host_of(authority)));
    if let Some(stranger) = authorities.iter().find(|authority| !known(authority)) {
        return Err(forbidden(format!(
            "host {:?} is not a name of this server: use one of {}, or start the engine with that name",
            host_of(stranger),
            hosts.join(", ")
        )));
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if origins.any(|origin| origin.as_bytes() != format!("https://{own}").as_bytes()) {
        return Err(forbidden("requests from web pages (with another Origin) are not served"));
    }
    Ok(())
}

fn forbidden(message: impl Into<String>) -> StatusError {
    StatusError { code: 403, reason: "Forbidden", message: message.into(), details: Box::default() }
}

/// The host in `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_of(authority: &str) -> &str {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) if port.is_empty() || port.starts_with(':') => host,
            _ => authority,
        },
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
}

#[cfg(test)]
mod tests;
