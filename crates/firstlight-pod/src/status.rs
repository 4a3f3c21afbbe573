//! What watchers are told: a Pod's status, in settled form.

use crate::time::Now;

/// A pod's status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Generation of the spec this was decided from.
    pub observed_generation: i64,
    /// The phase.
    pub phase: Phase,
    /// A brief CamelCase word, or empty.
    pub reason: String,
    /// A sentence, or empty.
    pub message: String,
    /// The node's address.
    pub host_ip: Option<String>,
    /// The pod's address.
    pub pod_ip: Option<String>,
    /// When the node first said anything about this pod; never changes (STA-17).
    pub start_time: Option<Now>,
    /// In the order of section 1.11.
    pub conditions: Vec<Condition>,
    /// One per init container, in spec order.
    pub inits: Vec<ContainerStatus>,
    /// One per main container, sorted by name (STA-2).
    pub mains: Vec<ContainerStatus>,
    /// One per ephemeral container, in spec order.
    pub ephemerals: Vec<ContainerStatus>,
}

/// A pod's phase (section 1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Not all mains have started.
    #[default]
    Pending,
    /// Something runs.
    Running,
    /// Every main ended with 0, for good.
    Succeeded,
    /// Ended, and not well.
    Failed,
}

impl Phase {
    /// As written in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
        }
    }

    /// Whether it is final (PHA-8).
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed)
    }
}

/// A pod condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `Ready`, `Initialized`, ...
    pub kind: String,
    /// Whether it holds.
    pub holds: bool,
    /// CamelCase, or empty.
    pub reason: String,
    /// A sentence, or empty.
    pub message: String,
    /// When `holds` last changed (CON-7).
    pub since: Now,
}

/// A container's status (section 1.10).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerStatus {
    /// The container's name.
    pub name: String,
    /// Image as written in the spec.
    pub image: String,
    /// Image digest, or empty before it is known.
    pub image_id: String,
    /// `firstlight://<id>`, or empty before it is created.
    pub container_id: String,
    /// What it is now.
    pub state: State,
    /// How the instance before ended.
    pub last: Option<Terminated>,
    /// STA-11.
    pub ready: bool,
    /// STA-12.
    pub started: Option<bool>,
    /// STA-10.
    pub restart_count: u32,
    /// Who it runs as, once that is known.
    pub user: Option<User>,
}

/// Who a container's first process runs as (STA-20): what the image and the security context come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
}

/// What a container is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not running yet, or not again.
    Waiting {
        /// CamelCase.
        reason: String,
        /// A sentence, or empty.
        message: String,
    },
    /// Running.
    Running {
        /// Since when.
        since: Now,
    },
    /// Ended.
    Terminated(Terminated),
}

impl Default for State {
    fn default() -> State {
        State::Waiting { reason: "ContainerCreating".to_owned(), message: String::new() }
    }
}

/// The reason of an end that nobody saw (STA-8).
pub const STATUS_UNKNOWN: &str = "ContainerStatusUnknown";

/// The reason of a container that is restarted with all others, and of the end that this made of it (RST-12).
pub const RESTARTING_ALL: &str = "RestartingAllContainers";

/// The message that comes with it.
pub(crate) const REMOVED: &str = "The container is removed because RestartAllContainers in place";

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terminated {
    /// Exit code.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled`, ... (STA-6)
    pub reason: String,
    /// Its termination message.
    pub message: String,
    /// When it started.
    pub started_at: Now,
    /// When it ended.
    pub finished_at: Now,
    /// `firstlight://<id>`.
    pub container_id: String,
}

impl Terminated {
    /// Whether this stands for a record that is gone: the instance after it is counted at once (STA-8, RST-12).
    pub(crate) fn leaves_no_record(&self) -> bool {
        matches!(self.reason.as_str(), STATUS_UNKNOWN | RESTARTING_ALL)
    }
}
