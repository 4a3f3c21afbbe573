//! How a world answers.

use firstlight_pod::event::{Hook, ImageFailure, ProbeKind, StartFailure};
use std::collections::{BTreeMap, BTreeSet};

/// How this world answers.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    /// How long everything takes that the runtime does.
    pub(crate) delay: u64,
    /// How long the start of a container takes, if longer.
    pub(crate) starts: BTreeMap<String, u64>,
    /// Images that cannot be had, and why.
    pub(crate) images: BTreeMap<String, (ImageFailure, String)>,
    /// Images not on this machine, and how long their pull takes.
    pub(crate) absent: BTreeMap<String, u64>,
    /// Containers that cannot be created or started, and why.
    pub(crate) refused: BTreeMap<String, (StartFailure, String)>,
    /// Probes that fail.
    pub(crate) failing: BTreeSet<(String, ProbeKind)>,
    /// Hooks that fail (`Some`) or never end (`None`).
    pub(crate) hooks: BTreeMap<(String, Hook), Option<String>>,
    /// How a container ends when asked to stop: code and time; `None` if it ignores that.
    pub(crate) stops: BTreeMap<String, Option<(i32, u64)>>,
    /// The API's disk takes no writes: what is said is lost with the engine.
    pub(crate) disk_stopped: bool,
    /// Sandboxes cannot be made.
    pub(crate) no_sandbox: Option<String>,
    /// Volumes that cannot be set up, and why.
    pub(crate) volumes: Option<(String, String)>,
    /// How long each instance of a container runs, and its code, if it ends by itself.
    pub(crate) runs: BTreeMap<String, (u64, i32)>,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            delay: 1,
            starts: BTreeMap::new(),
            images: BTreeMap::new(),
            absent: BTreeMap::new(),
            refused: BTreeMap::new(),
            failing: BTreeSet::new(),
            hooks: BTreeMap::new(),
            stops: BTreeMap::new(),
            disk_stopped: false,
            no_sandbox: None,
            volumes: None,
            runs: BTreeMap::new(),
        }
    }
}
