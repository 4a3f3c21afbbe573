//! What was asked: a Pod, settled.
//!
//! Settling (`firstlight_api::settle`) happens once per generation and is the only place that can say "invalid".
//! Below it nothing is optional that is not optional in meaning: defaults are filled, quantities parsed,
//! init steps split into [`Init::Once`] and [`Init::Sidecar`], and there is at least one main container.
//!
//! | file | what it says |
//! | --- | --- |
//! | `spec.rs` | the pod, its identity, its steps, and what its node rules |
//! | `container` | a container |
//! | `environment`, `reference` | its variables, and what they and volumes name |
//! | `handler` | probes and hooks |
//! | `restart` | whether it runs again |
//! | `security` | what it may do |
//! | `volume` | volumes and mounts |

mod container;
mod environment;
mod handler;
mod reference;
mod restart;
mod security;
mod volume;

use crate::time::Millis;
pub use container::{Container, Port, PullPolicy, Resources};
pub use environment::{EnvFrom, EnvValue, EnvVar};
pub use handler::{Handler, Probe};
pub use reference::{FieldRef, FileRef, ResourceRef, SourceRef};
pub use restart::{RestartPolicy, RestartRule, RuleAction};
pub use security::{Seccomp, Security};
use std::collections::BTreeMap;
pub use volume::{HostPathType, Mount, Projection, SizeLimit, Volume, VolumeKind};

/// Which pod. Two pods of one name that follow each other differ in `uid`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name, unique in its namespace at any one time.
    pub name: String,
    /// The UID the API gave it.
    pub uid: String,
}

/// A settled Pod: everything its life depends on, in the form that decisions are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Which pod this is.
    pub id: PodId,
    /// `metadata.generation`, echoed as `status.observedGeneration`.
    pub generation: i64,
    /// `metadata.labels`, for downward API references.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`, for downward API references.
    pub annotations: BTreeMap<String, String>,
    /// The node it is bound to.
    pub node: String,
    /// `spec.serviceAccountName`.
    pub service_account: String,
    /// Host name, DNS and `/etc/hosts`.
    pub identity: Identity,
    /// The pod-level restart policy.
    pub restart: RestartPolicy,
    /// `spec.terminationGracePeriodSeconds`.
    pub grace: Millis,
    /// `spec.activeDeadlineSeconds`, counted from the start time (DLN-1).
    pub deadline: Option<Millis>,
    /// Init steps in spec order.
    pub inits: Vec<Init>,
    /// Main containers in spec order; never empty.
    pub mains: Vec<Container>,
    /// Containers that were added to look into the pod, in spec order: they only ever grow.
    pub ephemerals: Vec<Ephemeral>,
    /// Volumes by name, in spec order.
    pub volumes: Vec<Volume>,
    /// Condition types of `spec.readinessGates`.
    pub readiness_gates: Vec<String>,
    /// Names of image pull secrets, in order.
    pub pull_secrets: Vec<String>,
    /// `spec.securityContext.fsGroup`: volumes that obey it are made accessible to this group (VOL-12).
    pub fs_group: Option<u32>,
    /// Its quality of service class.
    pub qos: Qos,
    /// Kernel parameters of the pod's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Whether its containers, inits included, see each other's processes (SEC-8).
    pub share_processes: bool,
    /// What the node rules for all its pods. Settling leaves the default; the node puts its own here.
    pub rules: Rules,
}

impl Spec {
    /// All containers, inits first, then mains, then ephemeral ones, in spec order.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        let ephemerals = self.ephemerals.iter().map(|ephemeral| &ephemeral.container);
        self.inits.iter().map(Init::container).chain(&self.mains).chain(ephemerals)
    }

    /// The container of this name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers().find(|c| c.name == name)
    }

    /// Every ConfigMap, Secret and claim named by volumes, env or pull secrets, once each: what the shell must watch and
    /// fold in as [`crate::Event::Source`].
    #[must_use]
    pub fn sources(&self) -> Vec<SourceRef> {
        let mut refs = Vec::new();
        let mut add = |r: &SourceRef| {
            if !refs.contains(r) {
                refs.push(r.clone());
            }
        };
        for volume in &self.volumes {
            if let VolumeKind::Claim { name, .. } = &volume.kind {
                add(&SourceRef::Claim(name.clone()));
            }
            for projection in volume.kind.projections() {
                if let Projection::Source { source, .. } = projection {
                    add(source);
                }
            }
        }
        for container in self.containers() {
            for from in &container.env_from {
                add(&from.source);
            }
            for var in &container.env {
                if let EnvValue::Key { source, .. } = &var.value {
                    add(source);
                }
            }
        }
        for name in &self.pull_secrets {
            add(&SourceRef::Secret(name.clone()));
        }
        refs
    }
}

/// A pod's quality of service class (RES-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Qos {
    /// Every container has CPU and memory limits equal to its requests.
    Guaranteed,
    /// Some container asks for something.
    Burstable,
    /// Nobody asks for anything.
    #[default]
    BestEffort,
}

/// What a node rules for all its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How long containers that crash wait.
    pub backoff: Backoff,
    /// How many of a pod's containers are created at once, where one is created before its turn: as many as the node
    /// has cores, because creating is all work and no waiting.
    pub creations_at_once: usize,
    /// CPU of the node in thousandths of a core: stands in for a missing limit (ENV-10).
    pub allocatable_cpu: u64,
    /// Memory of the node in bytes: stands in for a missing limit (ENV-10).
    pub allocatable_memory: u64,
    /// Variables every container gets, weaker than any other (ENV-1, ENV-5).
    pub environment: Vec<(String, String)>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            backoff: Backoff::default(),
            creations_at_once: 2,
            allocatable_cpu: 1000,
            allocatable_memory: 1 << 30,
            environment: Vec::new(),
        }
    }
}

/// The crash back-off of a node: the first delay, doubled with each restart up to the longest (section 1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The delay of the second restart; the first is immediate.
    pub first: Millis,
    /// No delay is longer.
    pub longest: Millis,
}

impl Backoff {
    /// BKF-10: Kubernetes' `ReduceDefaultCrashLoopBackOffDecay`.
    pub const REDUCED: Backoff = Backoff { first: Millis::secs(1), longest: Millis::secs(60) };

    /// BKF-9: no delay longer than this, the first included.
    #[must_use]
    pub fn at_most(self, limit: Millis) -> Backoff {
        Backoff { first: self.first.min(limit), longest: self.longest.min(limit) }
    }
}

impl Default for Backoff {
    /// BKF-1.
    fn default() -> Backoff {
        Backoff { first: Millis::secs(10), longest: Millis::secs(300) }
    }
}

/// How the pod names itself and finds others (rules NET-1, NET-2, NET-6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The host name, already cut to 63 characters.
    pub hostname: String,
    /// `hostname.subdomain.namespace.svc.cluster.local` where a subdomain is set.
    pub fqdn: Option<String>,
    /// Whether the kernel's host name is the FQDN (`setHostnameAsFQDN`).
    pub hostname_is_fqdn: bool,
    /// Extra `/etc/hosts` lines: address and names.
    pub host_aliases: Vec<(String, Vec<String>)>,
    /// Whether the cluster's DNS server comes first (`dnsPolicy: ClusterFirst`).
    pub cluster_dns: bool,
    /// Whether the host's own resolvers are used (`dnsPolicy: Default`).
    pub host_dns: bool,
    /// `dnsConfig.nameservers`.
    pub nameservers: Vec<String>,
    /// `dnsConfig.searches`.
    pub searches: Vec<String>,
    /// `dnsConfig.options`, as `name` or `name:value`.
    pub options: Vec<String>,
}

/// One entry of `spec.initContainers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Init {
    /// A regular init: runs to completion before the next step.
    Once(Container),
    /// A sidecar (`restartPolicy: Always`): must have started before the next step, and lives on.
    Sidecar(Container),
}

impl Init {
    /// The container, whichever kind of step it is.
    #[must_use]
    pub fn container(&self) -> &Container {
        match self {
            Init::Once(c) | Init::Sidecar(c) => c,
        }
    }
}

/// One entry of `spec.ephemeralContainers`: it has neither ports, probes, hooks nor resources, and runs once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ephemeral {
    /// The container.
    pub container: Container,
    /// The container whose processes it sees.
    pub target: Option<String>,
}
