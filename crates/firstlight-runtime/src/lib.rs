//! Containers, images, volumes and networks on this kernel.
//!
//! The engine's half ([`Runtime`]) is asynchronous and never clones a process. For each pod it spawns one small
//! single-threaded process of our own binary ([`shim`]), which owns the pod's namespaces and containers, writes
//! logs and a durable journal, and lives on when the engine is killed. Actions come in and events go out over two
//! channels, so this crate knows nobody above it.
//!
//! `unsafe` is allowed in `sys/` alone.

mod beneath;
pub mod images;
pub mod network;
pub mod volumes;

pub mod session;

mod clock;
mod container;
mod journal;
mod layout;
pub mod logs;
mod recover;
mod runtime;
mod shim;
mod sys;
mod wire;

pub use runtime::{Runtime, dismantle};

use firstlight_pod::{Do, Event, PodId};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::sync::mpsc;

/// Where things are and what is allowed.
#[derive(Debug, Clone)]
pub struct Config {
    /// What must survive a reboot: `pods/`, `logs/`. 0700.
    pub data: PathBuf,
    /// What need not: sockets, the network's state. 0700.
    pub run: PathBuf,
    /// Image layers, shared by engines of this machine. 0700.
    pub images: PathBuf,
    /// Registries: mirrors, credentials, plain HTTP.
    pub registries: Registries,
    /// The network of this engine's pods.
    pub network: Network,
    /// Powers that manifests may ask for.
    pub allow: Allow,
    /// The program that becomes a pod's shim: one that calls [`reexec`] first thing in `main`, as `firstlight` does.
    /// `None` for the running program itself.
    pub shim: Option<PathBuf>,
    /// The static `fl` binary served as `firstlight.local/toolbox`, if there is one.
    pub toolbox: Option<PathBuf>,
}

/// Registry settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registries {
    /// Registry host as written in references (`docker.io`) to mirror endpoints (`127.0.0.1:5000`), tried in order.
    pub mirrors: std::collections::BTreeMap<String, Vec<String>>,
    /// Hosts spoken to without TLS; loopback addresses always may be.
    pub plain_http: Vec<String>,
    /// How many images are pulled at once (IMG-11); 8 if it is not said.
    pub pulls_at_once: Option<std::num::NonZeroUsize>,
}

/// The pods' network: one bridge, one subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Bridge name, at most 15 characters.
    pub bridge: String,
    /// The subnet's first three octets, a /24: `[10, 88, 0]`. `.1` is the bridge, the DNS server and the host.
    pub subnet: [u8; 3],
    /// DNS domain of the cluster.
    pub domain: String,
}

/// Powers off by default; each is one flag of the engine (S14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allow {
    /// `hostPath` volumes.
    pub host_path: bool,
    /// `privileged: true`.
    pub privileged: bool,
    /// The `firstlight.local/host` image.
    pub host_image: bool,
}

/// What the runtime found when it started, for each pod with anything on this machine: the journal of its latest
/// sandbox as events, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Whose.
    pub pod: PodId,
    /// What happened, oldest first; containers that still run have `Started` and no `Exited`.
    pub events: Vec<Event>,
}

/// The two ends the worker side holds.
#[derive(Debug)]
pub struct Ends {
    /// What to do.
    pub actions: mpsc::Sender<(PodId, Do)>,
    /// What happened.
    pub events: mpsc::Receiver<(PodId, Event)>,
}

/// Becomes a pod's shim, if that is what this process was spawned for: then `main` must return the answer at once.
///
/// To be called first thing in `main`, before any thread exists.
#[must_use]
pub fn reexec() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    (args.next()? == shim::VERB).then(shim::main)
}
