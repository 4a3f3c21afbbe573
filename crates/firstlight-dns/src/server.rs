//! Who asks: the sockets, UDP and TCP.

use crate::forward::{Forward, read_message, write_message};
use crate::wire::{self, Incoming, Question, Transport};
use crate::zone::{self, Cluster};
use firstlight_api::object::{Key, resources};
use firstlight_store::{Snapshot, Store};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// No question is longer; what is cut off here is unreadable anyway.
const QUESTION: usize = 4096;

/// Connections at once over TCP (E8).
const CONNECTIONS: usize = 128;

/// How long a connection may be silent (RFC 7766 asks for seconds).
const SILENCE: Duration = Duration::from_secs(10);

/// How often a pair of ports is looked for when none is named.
const ATTEMPTS: usize = 16;

/// Where names are served, and whose names they are.
#[derive(Debug, Clone)]
pub struct DnsConfig {
    /// Where questions come in, over UDP and TCP: the address pods find in their resolv.conf.
    pub listen: SocketAddr,
    /// The cluster's domain: `cluster.local`.
    pub domain: String,
    /// Who knows all other names: the host's servers, in order. `listen` itself among them is passed over.
    pub upstreams: Vec<SocketAddr>,
}

/// The bound sockets: from here on questions wait to be answered.
#[derive(Debug)]
pub struct Dns {
    udp: UdpSocket,
    tcp: TcpListener,
    zone: Zone,
}

impl Dns {
    /// Binds the sockets.
    ///
    /// # Errors
    /// If the address is not this machine's, or taken.
    pub async fn bind(config: DnsConfig) -> io::Result<Dns> {
        let DnsConfig { listen, domain, upstreams } = config;
        let (udp, tcp) = bind_both(listen).await?;
        let own = udp.local_addr()?;
        let upstreams = upstreams.into_iter().filter(|upstream| *upstream != own).collect();
        let domain = domain.to_ascii_lowercase();
        let domain = domain.split('.').filter(|label| !label.is_empty()).map(str::to_owned).collect();
        Ok(Dns { udp, tcp, zone: Zone { domain, forward: Forward::new(upstreams) } })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Answers questions from `store` until `stop`.
    pub async fn serve(self, store: Store, stop: CancellationToken) {
        let Dns { udp, tcp, zone } = self;
        let zone = Arc::new(zone);
        tokio::select! {
            () = serve_udp(Arc::new(udp), store.clone(), Arc::clone(&zone)) => {}
            () = serve_tcp(tcp, store, zone) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// The same port for both, also where any port will do.
async fn bind_both(listen: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempt = 1;
    loop {
        let udp = UdpSocket::bind(listen).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if listen.port() == 0 && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Whose names are answered here, and who is asked for the others.
#[derive(Debug)]
struct Zone {
    domain: Vec<String>,
    forward: Forward,
}

impl Zone {
    /// The reply, if the name is one of ours.
    fn own(&self, store: &Store, question: &Question, transport: Transport) -> Option<Vec<u8>> {
        let snapshot = store.snapshot();
        let answer = zone::answer(&*snapshot, &self.domain, &question.name, question.kind);
        // A serial is 32 bits wide and wraps (RFC 1982).
        let serial = snapshot.revision().0 as u32;
        wire::reply(question, answer, &self.domain, serial, transport)
    }

    async fn others(&self, bytes: &[u8], question: &Question, transport: Transport) -> Vec<u8> {
        let forwarded = self.forward.ask(bytes, transport).await;
        forwarded.unwrap_or_else(|| wire::failure(question))
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, store: Store, zone: Arc<Zone>) {
    let mut buffer = [0; QUESTION];
    // Dropped, and with it every question under way, when this ends.
    let mut forwarding = JoinSet::new();
    loop {
        while forwarding.try_join_next().is_some() {}
        let (length, client) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "no question could be received");
                continue;
            }
        };
        let bytes = &buffer[..length];
        let reply = match wire::read(bytes) {
            Incoming::Noise => continue,
            Incoming::Wrong(reply) => reply,
            Incoming::Question(question) => match zone.own(&store, &question, Transport::Udp) {
                Some(reply) => reply,
                None => {
                    let (socket, zone, bytes) = (Arc::clone(&socket), Arc::clone(&zone), bytes.to_vec());
                    forwarding.spawn(async move {
                        let reply = zone.others(&bytes, &question, Transport::Udp).await;
                        send(&socket, &reply, client).await;
                    });
                    continue;
                }
            },
        };
        send(&socket, &reply, client).await;
    }
}

async fn send(socket: &UdpSocket, reply: &[u8], client: SocketAddr) {
    if let Err(error) = socket.send_to(reply, client).await {
        tracing::debug!(%error, %client, "a reply could not be sent");
    }
}

async fn serve_tcp(listener: TcpListener, store: Store, zone: Arc<Zone>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Whoever comes when all places are taken waits in the kernel's queue.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let (store, zone) = (store.clone(), Arc::clone(&zone));
                connections.spawn(async move {
                    let _place = place;
                    if let Err(error) = converse(stream, &store, &zone).await {
                        tracing::debug!(%error, "a connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "no connection could be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Answers the questions of one connection, one after the other, until it is silent or closed.
async fn converse(mut stream: TcpStream, store: &Store, zone: &Zone) -> io::Result<()> {
    loop {
        let bytes = match timeout(SILENCE, read_message(&mut stream)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        let reply = match wire::read(&bytes) {
            Incoming::Noise => return Ok(()),
            Incoming::Wrong(reply) => reply,
            Incoming::Question(question) => match zone.own(store, &question, Transport::Tcp) {
                Some(reply) => reply,
                None => zone.others(&bytes, &question, Transport::Tcp).await,
            },
        };
        timeout(SILENCE, write_message(&mut stream, &reply)).await??;
    }
}

impl Cluster for Snapshot {
    fn has_namespace(&self, name: &str) -> bool {
        self.get(&Key::new(resources::NAMESPACES, "", name)).is_some()
    }

    fn has_service(&self, namespace: &str, name: &str) -> bool {
        self.get(&Key::new(resources::SERVICES, namespace, name)).is_some()
    }

    fn slices<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
        self.after(resources::ENDPOINTSLICES, namespace, None).map(|object| &object.value)
    }

    fn pods<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
        self.after(resources::PODS, namespace, None).map(|object| &object.value)
    }
}
