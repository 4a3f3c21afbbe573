//! The order to create one container: everything settled by the engine that does not need the container's root.

use crate::container::seccomp::Filter;
use firstlight_pod::event::Instance;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An order to create a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Which container.
    #[serde(with = "super::record::InstanceDef")]
    pub(crate) instance: Instance,
    /// Its id: 64 hexadecimal digits.
    pub(crate) id: String,
    /// Digest of its image.
    pub(crate) image_id: String,
    /// The root filesystem.
    pub(crate) root: Root,
    /// The command; never empty.
    pub(crate) args: Vec<String>,
    /// The environment, in order, names unique; `HOME` is added from the image's `/etc/passwd` if absent.
    pub(crate) env: Vec<(String, String)>,
    /// Absolute working directory, made if it is missing.
    pub(crate) cwd: String,
    /// Who it runs as.
    pub(crate) user: ImageUser,
    /// Mounts, parents first.
    pub(crate) mounts: Vec<OrderMount>,
    /// Capabilities, with `CAP_`.
    pub(crate) capabilities: Vec<String>,
    /// Whether gaining privileges by exec is ruled out.
    pub(crate) no_new_privs: bool,
    /// What its system calls are filtered by, if they are.
    pub(crate) filter: Option<Filter>,
    /// All powers of the host's root.
    pub(crate) privileged: bool,
    /// Limits.
    pub(crate) limits: Limits,
    /// The signal that asks it to stop, by number.
    pub(crate) stop_signal: i32,
    /// Where it may leave a last word; empty for nowhere.
    pub(crate) termination_path: String,
    /// MSG-3.
    pub(crate) termination_from_log: bool,
    /// The container whose processes it shares. Since version 3.
    #[serde(default)]
    pub(crate) target: Option<String>,
    /// Keep stdin open.
    pub(crate) stdin: bool,
    /// Close stdin after the first attach.
    pub(crate) stdin_once: bool,
    /// Give it a terminal.
    pub(crate) tty: bool,
    /// Directory of the container's log files; the engine's own (S10).
    pub(crate) log_dir: PathBuf,
}

/// A root filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Root {
    /// Directories of the image's layers, the topmost first.
    pub(crate) layers: Vec<PathBuf>,
    /// Paths hidden from the container.
    pub(crate) masks: Vec<PathBuf>,
    /// Whether the container may not write to it.
    pub(crate) read_only: bool,
}

/// Who a container runs as. Names are resolved in the image's own `/etc/passwd` and `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ImageUser {
    /// The image's `User`: `uid`, `name`, each perhaps with `:gid` or `:group`; empty for root. Not used if `uid` is
    /// given.
    pub(crate) name: String,
    /// `runAsUser`.
    pub(crate) uid: Option<u32>,
    /// `runAsGroup`.
    pub(crate) gid: Option<u32>,
    /// `supplementalGroups` and `fsGroup`.
    pub(crate) groups: Vec<u32>,
}

/// A volume's mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderMount {
    /// The volume's name in the pod.
    pub(crate) volume: String,
    /// Where it appears: absolute.
    pub(crate) path: String,
    /// Which part of the volume; empty for all of it. Resolved beneath the volume's root (S8).
    pub(crate) sub_path: String,
    /// Whether the container may not write to it.
    pub(crate) read_only: bool,
    /// Whether it may not write to what is mounted below it either.
    #[serde(default)]
    pub(crate) recursive_read_only: bool,
    /// Whether what the host mounts below it later appears in the container.
    #[serde(default)]
    pub(crate) from_host: bool,
}

/// Limits, in the kernel's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Most memory, in bytes.
    pub(crate) memory: Option<i64>,
    /// Weight among the machine's other groups, 1024 for one CPU.
    pub(crate) cpu_shares: Option<u64>,
    /// CPU time per [`crate::container::limits::CPU_PERIOD_US`], in microseconds.
    pub(crate) cpu_quota_us: Option<i64>,
    /// How willing the kernel is to choose it when memory runs out.
    pub(crate) oom_score_adj: i32,
}
