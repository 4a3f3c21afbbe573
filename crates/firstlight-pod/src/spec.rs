//! What was asked: a Pod, settled.
//!
//! Settling (`firstlight_api::settle`) happens once per generation and is the only place that can say "invalid".
//! Below it nothing is optional that is not optional in meaning: defaults are filled, quantities parsed,
//! init steps split into [`Init::Once`] and [`Init::Sidecar`], and there is at least one main container.

use crate::time::Millis;
use std::collections::BTreeMap;

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
    /// Volumes by name, in spec order.
    pub volumes: Vec<Volume>,
    /// Condition types of `spec.readinessGates`.
    pub readiness_gates: Vec<String>,
    /// Names of image pull secrets, in order.
    pub pull_secrets: Vec<String>,
    /// `spec.securityContext.fsGroup`: volumes that obey it are made accessible to this group (VOL-12).
    pub fs_group: Option<u32>,
    /// Kernel parameters of the pod's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// What the node rules for all its pods. Settling leaves the default; the node puts its own here.
    pub rules: Rules,
}

impl Spec {
    /// All containers, inits first, in spec order.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.inits.iter().map(Init::container).chain(self.mains.iter())
    }

    /// The container of this name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers().find(|c| c.name == name)
    }

    /// Every ConfigMap and Secret named by volumes, env or pull secrets, once each: what the shell must watch and
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

/// What a node rules for all its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The longest crash back-off (BKF-1; BKF-9 lowers it, and with it the first delay if that is longer).
    pub backoff_cap: Millis,
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
            backoff_cap: Millis::secs(300),
            creations_at_once: 2,
            allocatable_cpu: 1000,
            allocatable_memory: 1 << 30,
            environment: Vec::new(),
        }
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

/// `spec.restartPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// Restart whatever the exit code.
    #[default]
    Always,
    /// Restart after a failure only.
    OnFailure,
    /// Never restart.
    Never,
}

/// One entry of `restartPolicyRules`: the first that matches an exit code decides (RST-6). It restarts the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartRule {
    /// The exit codes it is about.
    pub codes: Vec<i32>,
    /// Whether it matches these (`In`), or all others (`NotIn`).
    pub listed: bool,
}

impl RestartRule {
    /// Whether it is about this exit code.
    #[must_use]
    pub fn matches(&self, code: i32) -> bool {
        self.codes.contains(&code) == self.listed
    }
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

/// A container, settled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Container {
    /// Unique in the pod.
    pub name: String,
    /// The image reference as written.
    pub image: String,
    /// When to pull, defaulted from the tag (IMG-1).
    pub pull: PullPolicy,
    /// Overrides the image's entrypoint; unexpanded.
    pub command: Vec<String>,
    /// Overrides the image's cmd; unexpanded.
    pub args: Vec<String>,
    /// Overrides the image's working directory.
    pub working_dir: Option<String>,
    /// Whole ConfigMaps or Secrets as environment, in order.
    pub env_from: Vec<EnvFrom>,
    /// Single variables, in order.
    pub env: Vec<EnvVar>,
    /// Where volumes appear.
    pub mounts: Vec<Mount>,
    /// Declared ports, for named probe ports.
    pub ports: Vec<Port>,
    /// Requests and limits.
    pub resources: Resources,
    /// Users, capabilities and the rest, pod-level values already merged in (SEC-1).
    pub security: Security,
    /// Holds liveness and readiness back until it succeeds.
    pub startup: Option<Probe>,
    /// Restarts the container when it fails.
    pub liveness: Option<Probe>,
    /// Decides `ready`.
    pub readiness: Option<Probe>,
    /// Runs right after start and holds back later containers (HOK-1).
    pub post_start: Option<Handler>,
    /// Runs before the stop signal, inside the grace (TRM-4).
    pub pre_stop: Option<Handler>,
    /// The signal that asks it to stop, by name, rather than the image's (TRM-5).
    pub stop_signal: Option<String>,
    /// Container-level restart policy of a main or a regular init (RST-4, RST-5).
    pub restart: Option<RestartPolicy>,
    /// What its exit codes mean beyond that policy; only with one of its own (RST-6).
    pub restart_rules: Vec<RestartRule>,
    /// Where the container may leave a last word; `/dev/termination-log` by default.
    pub termination_message_path: String,
    /// Whether an empty message after a failure is replaced by the end of the log (MSG-3).
    pub termination_message_from_log: bool,
    /// Keep stdin open for attach.
    pub stdin: bool,
    /// Close stdin after the first attach ends.
    pub stdin_once: bool,
    /// Give it a terminal.
    pub tty: bool,
}

/// `imagePullPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PullPolicy {
    /// Resolve the tag at every start.
    Always,
    /// Pull only what is absent.
    #[default]
    IfNotPresent,
    /// Use what is there or fail.
    Never,
}

/// A ConfigMap or a Secret of the pod's namespace, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceRef {
    /// A ConfigMap.
    ConfigMap(String),
    /// A Secret.
    Secret(String),
}

/// One `envFrom` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFrom {
    /// Where the keys come from.
    pub source: SourceRef,
    /// Prepended to every key.
    pub prefix: String,
    /// Whether the source may be missing.
    pub optional: bool,
}

/// One `env` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// The variable's name.
    pub name: String,
    /// Where its value comes from.
    pub value: EnvValue,
}

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// Literal text with `$(NAME)` references (ENV-2).
    Text(String),
    /// A key of a ConfigMap or Secret.
    Key {
        /// Which object.
        source: SourceRef,
        /// Which key.
        key: String,
        /// Whether object and key may be missing.
        optional: bool,
    },
    /// A field of the pod.
    Field(FieldRef),
    /// A resource of a container.
    Resource(ResourceRef),
}

/// A downward API field (ENV-9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldRef {
    /// `metadata.name`
    Name,
    /// `metadata.namespace`
    Namespace,
    /// `metadata.uid`
    Uid,
    /// `metadata.labels['key']`
    Label(String),
    /// `metadata.annotations['key']`
    Annotation(String),
    /// `metadata.labels`, volumes only
    Labels,
    /// `metadata.annotations`, volumes only
    Annotations,
    /// `spec.nodeName`
    NodeName,
    /// `spec.serviceAccountName`
    ServiceAccountName,
    /// `status.hostIP` and `status.hostIPs`
    HostIp,
    /// `status.podIP` and `status.podIPs`
    PodIp,
}

/// A downward API resource (ENV-10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRef {
    /// Whose resource.
    pub container: String,
    /// `limits.cpu`, `limits.memory`, `requests.cpu`, `requests.memory`, ...
    pub resource: String,
    /// Divisor, in millionths of the base unit so that `1m` cores and `1Mi` bytes are both exact.
    pub divisor_micro: u128,
}

/// Where a volume appears in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name.
    pub volume: String,
    /// Absolute path in the container.
    pub path: String,
    /// Relative path inside the volume; empty for its root. Resolved when the container is created, hence late.
    pub sub_path: String,
    /// Whether `sub_path` contains `$(NAME)` references (`subPathExpr`).
    pub sub_path_expr: bool,
    /// Mount it read-only.
    pub read_only: bool,
}

/// A declared port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name, or empty.
    pub name: String,
    /// The number.
    pub port: u16,
}

/// Requests and limits; CPU in thousandths of a core, memory and storage in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// CPU request.
    pub cpu_request: Option<u64>,
    /// CPU limit.
    pub cpu_limit: Option<u64>,
    /// Memory request.
    pub memory_request: Option<u64>,
    /// Memory limit.
    pub memory_limit: Option<u64>,
}

/// What the container's processes may do, pod-level values merged in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// `runAsUser`.
    pub user: Option<u32>,
    /// `runAsGroup`.
    pub group: Option<u32>,
    /// `runAsNonRoot`: refuse to start as uid 0 (SEC-2).
    pub non_root: bool,
    /// `supplementalGroups` and `fsGroup`.
    pub groups: Vec<u32>,
    /// Capabilities added to the default set, without `CAP_`; `ALL` means all.
    pub add_capabilities: Vec<String>,
    /// Capabilities dropped; `ALL` means all.
    pub drop_capabilities: Vec<String>,
    /// All powers of the host's root. Refused unless the engine allows it.
    pub privileged: bool,
    /// The root filesystem cannot be written.
    pub read_only_root: bool,
    /// `allowPrivilegeEscalation: false`.
    pub no_new_privs: bool,
    /// The system call filter.
    pub seccomp: Seccomp,
}

/// The system call filter of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Seccomp {
    /// The runtime's default list. Firstlight uses it where Kubernetes says nothing: safe by default.
    #[default]
    RuntimeDefault,
    /// No filter, asked for by name.
    Unconfined,
}

/// A probe, settled (PRB-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is asked.
    pub handler: Handler,
    /// Wait after start before the first try.
    pub initial_delay: Millis,
    /// Time between tries.
    pub period: Millis,
    /// How long one try may take.
    pub timeout: Millis,
    /// Successes in a row to become successful.
    pub success_threshold: u32,
    /// Failures in a row to become failed.
    pub failure_threshold: u32,
    /// Grace used when this probe's failure stops the container.
    pub grace: Option<Millis>,
}

/// What a probe or a hook does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// Run a command in the container; taken literally (HOK-5).
    Exec(Vec<String>),
    /// Ask a URL; the host defaults to the pod's address.
    Http {
        /// Empty: the pod's address.
        host: String,
        /// Port, by number; names are resolved when settling.
        port: u16,
        /// Path and query.
        path: String,
        /// Whether to speak TLS (certificates are not checked, as in Kubernetes).
        https: bool,
        /// Extra headers.
        headers: Vec<(String, String)>,
    },
    /// Open a connection.
    Tcp {
        /// Empty: the pod's address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Ask `grpc.health.v1.Health/Check`, without TLS; only probes do. Always at the pod's address.
    Grpc {
        /// Port.
        port: u16,
        /// What is asked about; empty for the server as a whole.
        service: String,
    },
    /// Do nothing for this long.
    Sleep(Millis),
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Unique in the pod.
    pub name: String,
    /// What it is.
    pub kind: VolumeKind,
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeKind {
    /// A directory that lives as long as the pod.
    EmptyDir {
        /// On a tmpfs.
        memory: bool,
        /// Size limit in bytes.
        size_limit: Option<u64>,
    },
    /// Files made from ConfigMaps, Secrets and pod fields, replaced as a whole (VOL-6).
    Files {
        /// Where the files come from, in order; later ones win.
        projections: Vec<Projection>,
        /// Mode of files that name none.
        default_mode: u32,
        /// Whether the files stay in memory (secrets).
        memory: bool,
    },
    /// A path of the host. Refused unless the engine allows it.
    HostPath {
        /// Absolute path on the host.
        path: String,
        /// The check asked for by `type`.
        check: HostPathType,
    },
}

impl VolumeKind {
    /// The sources of a [`VolumeKind::Files`]; none for the others.
    #[must_use]
    pub fn projections(&self) -> &[Projection] {
        match self {
            VolumeKind::Files { projections, .. } => projections,
            VolumeKind::EmptyDir { .. } | VolumeKind::HostPath { .. } => &[],
        }
    }
}

/// Part of a [`VolumeKind::Files`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projection {
    /// Keys of a ConfigMap or Secret.
    Source {
        /// Which object.
        source: SourceRef,
        /// Key, relative path and mode; empty means every key under its own name.
        items: Vec<(String, String, Option<u32>)>,
        /// Whether object and keys may be missing.
        optional: bool,
    },
    /// A pod field as a file.
    Field {
        /// Relative path.
        path: String,
        /// Which field.
        field: FieldRef,
        /// Mode, if not the default.
        mode: Option<u32>,
    },
    /// A container's resource as a file.
    Resource {
        /// Relative path.
        path: String,
        /// Which resource.
        resource: ResourceRef,
        /// Mode, if not the default.
        mode: Option<u32>,
    },
}

/// `hostPath.type` (VOL-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostPathType {
    /// No check.
    #[default]
    Unset,
    /// Made if missing, mode 0755.
    DirectoryOrCreate,
    /// Must be a directory.
    Directory,
    /// Made if missing, mode 0644.
    FileOrCreate,
    /// Must be a regular file.
    File,
    /// Must be a socket.
    Socket,
    /// Must be a character device.
    CharDevice,
    /// Must be a block device.
    BlockDevice,
}
