//! A container, settled.

use super::{EnvFrom, EnvVar, Handler, Mount, Probe, RestartPolicy, RestartRule, Security};

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
