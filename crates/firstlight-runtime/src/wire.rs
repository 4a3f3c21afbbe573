//! What the engine and a sandbox's shim say to each other, and how it looks on their socket.
//!
//! An old shim must talk to a new engine, because pods outlive engine upgrades: every connection begins with
//! [`Request::Hello`] and a version, frames are JSON, and unknown fields are skipped. What happened is told as
//! [`Record`]s, which are also the lines of the sandbox's journal: a new connection gets the journal first, then
//! [`Told::Live`], then records as they are written.

pub(crate) mod as_base64;
mod frame;
mod order;
mod record;

pub(crate) use frame::{Inbox, Outbox};
pub(crate) use order::{ImageUser, Limits, Order, OrderMount, Root};
pub(crate) use record::{Record, StartFailureDef};

use crate::container::seccomp::Filter;
use firstlight_pod::PodId;
use firstlight_pod::event::{Hook, Instance, ProbeKind, StopReason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// The version of this protocol. A change that an older peer would misread raises it; fields may be added freely.
pub(crate) const VERSION: u32 = 3;

/// The first version of a shim that knows [`Request::Retire`].
pub(crate) const RETIRES: u32 = 2;

/// The first version of a shim that knows [`Request::RestartAll`].
pub(crate) const RESTARTS_ALL: u32 = 3;

/// The first version of a shim that knows [`Order::target`].
pub(crate) const SHARES_PROCESSES: u32 = 3;

/// Oldest version of a shim that this engine still talks to.
pub(crate) const OLDEST: u32 = 1;

/// What a sandbox is made from: the first frame a new shim reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sandbox {
    /// [`VERSION`] of the engine that spawned it.
    pub(crate) version: u32,
    /// Whose.
    #[serde(with = "record::PodIdDef")]
    pub(crate) pod: PodId,
    /// Which generation.
    pub(crate) attempt: u32,
    /// The pod's directory: its volumes are there.
    pub(crate) pod_dir: PathBuf,
    /// Its durable directory: journal, containers' directories, the files of `/etc`.
    pub(crate) dir: PathBuf,
    /// Its volatile directory: socket, state of the container library, mount points.
    pub(crate) run: PathBuf,
    /// The pod's cgroup, from the root of every hierarchy.
    pub(crate) cgroup: String,
    /// The kernel's host name.
    pub(crate) hostname: String,
    /// Kernel parameters of the sandbox's namespaces.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// Its place in the network.
    pub(crate) port: Port,
    /// If its containers share their processes: what the system calls of the process that holds them together are
    /// filtered by.
    #[serde(default)]
    pub(crate) holder: Option<Filter>,
}

/// A sandbox's place on the bridge: [`crate::network::Port`] as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Port {
    /// The bridge's name.
    pub(crate) bridge: String,
    /// The host end's name.
    pub(crate) name: String,
    /// The pod's address.
    pub(crate) address: Ipv4Addr,
    /// The node's address as pods see it.
    pub(crate) gateway: Ipv4Addr,
}

/// What the engine asks of a shim. Every variant is safe to repeat (E5).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The first frame of every connection to the shim's socket.
    Hello {
        /// [`VERSION`] of the engine.
        version: u32,
        /// What the connection is for.
        purpose: Purpose,
    },
    /// Create a container.
    Create(Box<Order>),
    /// Remove a created container that never ran.
    Discard {
        /// Which.
        #[serde(with = "record::InstanceDef")]
        instance: Instance,
    },
    /// Start a created container.
    Start {
        /// Which.
        #[serde(with = "record::InstanceDef")]
        instance: Instance,
    },
    /// Write down that a container is to end although its pod lives on. Since version 2.
    Retire {
        /// Which.
        #[serde(with = "record::InstanceDef")]
        instance: Instance,
        /// Why.
        #[serde(with = "record::StopReasonDef")]
        reason: StopReason,
    },
    /// Write down that every container is to run again, from the first init step on. Since version 3.
    RestartAll {
        /// Which walk through the steps begins.
        walk: u32,
        /// Whose end asks for it.
        #[serde(with = "record::InstanceDef")]
        because: Instance,
    },
    /// Send a signal to a container.
    Signal {
        /// Which.
        #[serde(with = "record::InstanceDef")]
        instance: Instance,
        /// SIGKILL rather than the stop signal.
        kill: bool,
    },
    /// Run a hook's command.
    Hook {
        /// Whose.
        #[serde(with = "record::InstanceDef")]
        instance: Instance,
        /// Which.
        #[serde(with = "record::HookDef")]
        hook: Hook,
        /// What to run.
        command: Vec<String>,
        /// The longest it may take, if bounded.
        timeout_ms: Option<u64>,
    },
    /// Run a probe's command.
    Probe {
        /// Whose.
        #[serde(with = "record::InstanceDef")]
        instance: Instance,
        /// Which.
        #[serde(with = "record::ProbeKindDef")]
        probe: ProbeKind,
        /// What to run.
        command: Vec<String>,
        /// The longest it may take.
        timeout_ms: u64,
    },
    /// End everything in the sandbox, say so, take it down and exit.
    End,
}

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// The engine's own: requests in, records out. A new one replaces the one before.
    Control,
    /// One process run in a container; its descriptors come with the frame: stdin, stdout, stderr, in this order,
    /// those that are asked for. Closing the connection ends the process.
    Exec(Exec),
    /// The main process's streams, descriptors as for `Exec`.
    Attach {
        /// The container's name; its current instance is meant.
        container: String,
        /// Which descriptors came.
        streams: Streams,
    },
    /// A connection to a port inside the pod's network namespace, answered with its descriptor.
    Dial {
        /// The port.
        port: u16,
    },
}

/// A process to run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exec {
    /// The container's name; its current instance is meant.
    pub(crate) container: String,
    /// The command, taken literally.
    pub(crate) command: Vec<String>,
    /// Give it a terminal; its other end comes back with [`Told::Begun`].
    pub(crate) tty: bool,
    /// Which descriptors came.
    pub(crate) streams: Streams,
}

/// Which of a process's streams are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Streams {
    /// Standard input.
    pub(crate) stdin: bool,
    /// Standard output.
    pub(crate) stdout: bool,
    /// Standard error.
    pub(crate) stderr: bool,
}

/// What a shim tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// A fact, already in the journal.
    Record(Record),
    /// The journal has been told; what follows happens now.
    Live {
        /// [`VERSION`] of the shim.
        version: u32,
    },
    /// A probe's try ended. Not a fact worth keeping: it is tried again.
    Probed {
        /// Whose.
        #[serde(with = "record::InstanceDef")]
        instance: Instance,
        /// Which.
        #[serde(with = "record::ProbeKindDef")]
        probe: ProbeKind,
        /// `Err` carries the cause.
        outcome: Result<(), String>,
        /// When, milliseconds since the Unix epoch.
        at: u64,
    },
    /// The sandbox could not be made; the shim exits.
    Failed {
        /// Why.
        message: String,
    },
    /// A session began. A terminal's or connection's descriptor comes with it.
    Begun,
    /// A session could not begin.
    Refused {
        /// Why.
        reason: Refusal,
        /// In words.
        message: String,
    },
    /// The session's process ended.
    Ended {
        /// Its exit code; 128 + n for death by signal n.
        code: i32,
    },
}

/// Why a session could not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// No such container in this sandbox.
    NotFound,
    /// It is there but does not run.
    NotRunning,
    /// It could not be done.
    Failed,
}
