//! The answer of a decision.

use crate::action::Action;
use crate::status::Status;
use crate::time::Now;

/// What to do, what to say, what is being waited for and when to look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In this order. Doing one is folded back as [`crate::Event::Asked`].
    pub actions: Vec<Action>,
    /// What watchers are told.
    pub status: Status,
    /// Why nothing more happens now; empty only when there is nothing left to wait for.
    pub waits: Vec<Wait>,
    /// When to decide again if nothing happens before; strictly later than `now`.
    pub wake: Option<Now>,
}

/// One thing that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The container that waits, or `None` for the pod.
    pub container: Option<String>,
    /// A stable word in CamelCase: `CrashLoopBackOff`, `InitRunning`, `VolumeSource`, ...
    pub reason: &'static str,
    /// What it waits for, as a sentence.
    pub what: String,
    /// Since when.
    pub since: Now,
    /// Until when, if a time ends it.
    pub until: Option<Now>,
}
