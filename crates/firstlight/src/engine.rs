//! A running engine: every part made, given what it needs, and stopped in the reverse order.

use crate::builder::Builder;
use crate::claims;
use crate::console::RuntimeConsole;
use crate::lifecycle;
use crate::place::Place;
use crate::renewal;
use anyhow::{Context, Result};
use firstlight_api::object::resources;
use firstlight_api::powers::Powers;
use firstlight_dns::{Dns, DnsConfig};
use firstlight_node::{Channels, Clock, Node, NodeConfig};
use firstlight_pod::Millis;
use firstlight_pod::spec::Backoff;
use firstlight_runtime::{Allow, Ends, Recovered, Runtime};
use firstlight_server::api::{Api, Config as ApiConfig};
use firstlight_server::caller::{Caller, MASTERS};
use firstlight_server::identity::Identity;
use firstlight_server::listener::{self, Limits, ListenerConfig};
use firstlight_store::Store;
use jiff::Timestamp;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The longest crash back-off, and what it may be lowered to (BKF-1, BKF-9).
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// How long the engine's end waits for pods to be torn down.
const TEAR_DOWN_LIMIT: Duration = Duration::from_secs(5);

/// How long the engine's end waits for containers whose pods are gone to end by themselves: their grace (TRM-15), the
/// runtime's floor (TRM-4), and some for a busy machine. What runs longer is killed.
const ORPHANS_LIMIT: Duration = Duration::from_secs(5);

/// The port of DNS.
const DNS_PORT: u16 = 53;

/// A running engine. Dropping it stops it without waiting; pods go on either way.
pub struct Firstlight {
    store: Store,
    api: Api,
    node: Node,
    runtime: Runtime,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl std::fmt::Debug for Firstlight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Firstlight").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Firstlight {
    /// An engine on this data directory, to be told more before it starts.
    #[must_use]
    pub fn builder(data_dir: &Path) -> Builder {
        Builder::new(data_dir)
    }

    pub(crate) async fn start(settings: Builder) -> Result<Firstlight> {
        crate::install_crypto();
        lifecycle::check_place(&settings.data_dir)?;
        let place = Place::make(&settings.data_dir)?;
        let store = Store::open(&place.store)?;
        if settings.belongs_to_up {
            lifecycle::mark_as_up(&settings.data_dir)?;
        }
        let node_name = settings.node_name.clone().unwrap_or_else(host_name);
        let network = place.network()?;
        let [a, b, c] = network.subnet;
        let gateway = Ipv4Addr::new(a, b, c, 1);
        let identity = Identity::open(&place.pki, std::slice::from_ref(&node_name), Timestamp::now())?;
        let listener = bind(settings.listen, &place).await?;
        let address = listener.local_addr()?;

        let (runtime, ends, recovered) = Runtime::start(place.runtime(&settings, network)).await?;
        let stop = CancellationToken::new();
        let api = Api::new(ApiConfig {
            store: store.clone(),
            console: Arc::new(RuntimeConsole::new(runtime.clone())),
            node: node_name.clone(),
            powers: powers(settings.allow),
            clock: Arc::new(Timestamp::now),
            stop: stop.clone(),
        });
        api.make_system_namespaces().await?;
        let Ends { actions, events } = ends;
        let longest = settings.max_backoff.unwrap_or(BACKOFF.1).clamp(BACKOFF.0, BACKOFF.1);
        let backoff = if settings.reduced_backoff { Backoff::REDUCED } else { Backoff::default() };
        let node = Node::start(
            NodeConfig {
                name: node_name,
                host_ip: gateway.to_string(),
                backoff: backoff.at_most(Millis(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX))),
                clock: Clock::wall(),
            },
            store.clone(),
            Channels { actions, events },
            recovered.into_iter().map(|Recovered { pod, events }| (pod, events)).collect(),
        );

        let mut tasks = JoinSet::new();
        tasks.spawn(listener::serve(listener, door(&identity), api.clone(), stop.clone()));
        let dns = DnsConfig {
            listen: SocketAddr::from((gateway, DNS_PORT)),
            domain: crate::place::DOMAIN.to_owned(),
            upstreams: upstreams(),
        };
        let dns = Dns::bind(dns).await.context("cannot serve DNS to the pods")?;
        tasks.spawn(dns.serve(store.clone(), stop.clone()));
        tasks.spawn(claims::run(store.clone(), place.pods.clone(), stop.clone()));
        tasks.spawn(said("workloads", firstlight_workloads::run(client(&api, "firstlight-workloads"), stop.clone())));
        let url = format!("https://{address}");
        renewal::write(&identity, &url, &settings.kubeconfig)?;
        tasks.spawn(renewal::run(identity, url, settings.kubeconfig, stop.clone()));
        Ok(Firstlight { store, api, node, runtime, address, stop, tasks })
    }

    /// The API's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// An API client inside this process, as administrator: no socket, no TLS, the same wire format.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        client(&self.api, "admin")
    }

    /// How many pods there are.
    #[must_use]
    pub fn pods(&self) -> usize {
        count(&self.store)
    }

    /// Stops serving and deciding, in order. Pods go on. If there are none, nothing does: what is left of pods whose
    /// objects are gone already is ended first, and the network is taken down.
    pub async fn stop(self) {
        let Firstlight { store, api: _, node, runtime, address: _, stop, mut tasks } = self;
        stop.cancel();
        while tasks.join_next().await.is_some() {}
        let pods = count(&store);
        if pods == 0 && timeout(ORPHANS_LIMIT, runtime.nothing_left()).await.is_err() {
            tracing::warn!(left = ?runtime.pods(), "ending what is left of pods that are gone");
        }
        node.stop().await;
        if timeout(TEAR_DOWN_LIMIT, runtime.ended()).await.is_err() {
            tracing::warn!("the runtime has not finished tearing down; the next engine does");
        } else if pods == 0
            && let Err(error) = runtime.dismantle().await
        {
            tracing::warn!(error = format!("{error:#}"), "something is left on this machine; the next engine finds it");
        }
    }
}

fn count(store: &Store) -> usize {
    store.list(resources::PODS, None).items.len()
}

/// A client of the API inside this process.
fn client(api: &Api, user: &str) -> kube::Client {
    kube::Client::new(api.local_service(Caller::new(user, [MASTERS])), "default")
}

/// What manifests may ask for is what the runtime does.
fn powers(allow: Allow) -> Powers {
    let Allow { host_path, privileged, host_image } = allow;
    Powers { host_path, privileged, host_image }
}

fn door(identity: &Identity) -> ListenerConfig {
    ListenerConfig { tls: identity.tls(), hosts: identity.names().to_vec(), limits: Limits::default() }
}

/// A part that ends by itself has failed: said once, here.
async fn said(part: &'static str, work: impl Future<Output = Result<()>>) {
    if let Err(error) = work.await {
        tracing::error!(part, error = format!("{error:#}"), "a part of the engine has ended");
    }
}

/// Binds the API's address; a free port is the last one if that is still free, so that clients find the engine again.
async fn bind(listen: SocketAddr, place: &Place) -> Result<TcpListener> {
    let last = std::fs::read_to_string(&place.port).ok().and_then(|text| text.trim().parse::<u16>().ok());
    if let (0, Some(port)) = (listen.port(), last)
        && let Ok(listener) = TcpListener::bind(SocketAddr::new(listen.ip(), port)).await
    {
        return Ok(listener);
    }
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; name another --listen address"))?;
    std::fs::write(&place.port, listener.local_addr()?.port().to_string())?;
    Ok(listener)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().to_lowercase()
}

/// The machine's own resolvers, for names that are not the cluster's.
fn upstreams() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    servers.filter_map(|server| Some(SocketAddr::new(server.trim().parse().ok()?, DNS_PORT))).collect()
}
