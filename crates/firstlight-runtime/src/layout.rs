//! Where is everything of a pod on this machine? Asked by the engine and by recovery.
//!
//! ```text
//! data/                           survives a reboot
//!   runtime.lock                  held by the engine
//!   pods/UID/pod.json             whose this is, written first
//!   pods/UID/volumes/NAME/
//!   pods/UID/sandbox-N/           one per generation
//!     journal                     what happened; alone it stays until a newer generation is made
//!     etc/{hosts,hostname,resolv.conf}
//!     containers/NAME-ATTEMPT/    config.json, termination-log, upper/, work/
//!   logs/NAMESPACE_NAME_UID/CONTAINER/ATTEMPT.log
//! run/                            does not
//!   sandboxes/UID-N/              shim.sock, shim.log, state/, mount points
//! ```

use firstlight_pod::PodId;
use firstlight_pod::event::Instance;
use std::path::{Path, PathBuf};

/// The socket's name in a sandbox's volatile directory.
pub(crate) const SOCKET: &str = "shim.sock";

/// The directories of one engine.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// See the module.
    pub(crate) data: PathBuf,
    /// See the module.
    pub(crate) run: PathBuf,
}

impl Layout {
    /// All pods.
    pub(crate) fn pods(&self) -> PathBuf {
        self.data.join("pods")
    }

    /// One pod, by UID.
    pub(crate) fn pod(&self, uid: &str) -> PathBuf {
        self.pods().join(uid)
    }

    /// The file that says which pod a directory belongs to.
    pub(crate) fn pod_file(&self, uid: &str) -> PathBuf {
        self.pod(uid).join("pod.json")
    }

    /// What survives of one sandbox.
    pub(crate) fn sandbox(&self, uid: &str, attempt: u32) -> PathBuf {
        self.pod(uid).join(format!("sandbox-{attempt}"))
    }

    /// All sandboxes' volatile directories.
    pub(crate) fn sandboxes(&self) -> PathBuf {
        self.run.join("sandboxes")
    }

    /// What need not survive of one sandbox.
    pub(crate) fn sandbox_run(&self, uid: &str, attempt: u32) -> PathBuf {
        self.sandboxes().join(format!("{uid}-{attempt}"))
    }

    /// All pods' logs.
    pub(crate) fn all_logs(&self) -> PathBuf {
        self.data.join("logs")
    }

    /// A pod's logs (LOG-5).
    pub(crate) fn pod_logs(&self, pod: &PodId) -> PathBuf {
        self.all_logs().join(format!("{}_{}_{}", pod.namespace, pod.name, pod.uid))
    }

    /// A container's logs.
    pub(crate) fn logs(&self, pod: &PodId, container: &str) -> PathBuf {
        self.pod_logs(pod).join(container)
    }
}

/// The generation that a directory of a pod is named for, if it is a sandbox's.
pub(crate) fn sandbox_attempt(dir: &Path) -> Option<u32> {
    dir.file_name()?.to_str()?.strip_prefix("sandbox-")?.parse().ok()
}

/// The generations that a pod's directory has something of, in order.
pub(crate) fn sandboxes(pod_dir: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(pod_dir).into_iter().flatten().flatten();
    let mut sandboxes: Vec<u32> = entries.filter_map(|entry| sandbox_attempt(&entry.path())).collect();
    sandboxes.sort_unstable();
    sandboxes
}

/// An instance's name in paths and cgroups.
pub(crate) fn instance_name(instance: &Instance) -> String {
    format!("{}-{}", instance.container, instance.attempt)
}
