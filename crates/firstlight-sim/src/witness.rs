//! What really ran, and was it allowed to? Sees every start and end on the imaginary kernel, and knows what was asked.

use firstlight_pod::event::Instance;
use std::collections::{BTreeMap, BTreeSet};

/// How a pod's containers follow each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    /// Init containers in order, and whether each is a sidecar.
    pub(crate) inits: Vec<(String, bool)>,
}

/// What ran of one pod.
#[derive(Debug, Default)]
struct Ran {
    shape: Shape,
    /// The sandbox the next four are about.
    sandbox: Option<u64>,
    running: BTreeSet<String>,
    begun: BTreeSet<String>,
    done: BTreeSet<String>,
    /// Every start ever, whatever the sandbox.
    starts: BTreeSet<Instance>,
    /// Every end ever: its code, or none if nobody saw it.
    ends: BTreeMap<Instance, Option<i32>>,
    /// When its object was deleted or marked for it, by the people's clock.
    deleted: Option<u64>,
    forgotten: bool,
}

/// Everything that ran, by pod UID.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    pods: BTreeMap<String, Ran>,
    /// What was not allowed.
    pub(crate) violations: Vec<String>,
}

/// How long after a deletion was asked a start may still be under way: what the keeper, a worker and the sandbox's
/// process need to hear of it, on the slowest machine this world has.
const UNHEARD_MS: u64 = 2_000;

impl Witness {
    /// A pod was asked for.
    pub(crate) fn asked(&mut self, uid: &str, shape: Shape) {
        self.pods.entry(uid.to_owned()).or_default().shape = shape;
    }

    /// Its deletion was asked for.
    pub(crate) fn deleted(&mut self, uid: &str, now: u64) {
        self.pods.entry(uid.to_owned()).or_default().deleted.get_or_insert(now);
    }

    /// A container's process is about to start.
    pub(crate) fn starts(&mut self, uid: &str, sandbox: u64, instance: &Instance, now: u64) {
        let ran = self.pods.entry(uid.to_owned()).or_default();
        ran.enter(sandbox);
        let wrong = ran.wrong_about(instance, now);
        ran.running.insert(instance.container.clone());
        ran.begun.insert(instance.container.clone());
        ran.starts.insert(instance.clone());
        self.violations.extend(wrong.map(|wrong| format!("{uid}: {instance:?} starts in sandbox {sandbox}: {wrong}")));
    }

    /// Everything in the sandbox is to run again, from the first init step on (RST-12).
    pub(crate) fn begins_again(&mut self, uid: &str) {
        if let Some(ran) = self.pods.get_mut(uid) {
            ran.begun.clear();
            ran.done.clear();
        }
    }

    /// A container's process ended.
    pub(crate) fn ends(&mut self, uid: &str, instance: &Instance, code: Option<i32>) {
        let Some(ran) = self.pods.get_mut(uid) else { return };
        ran.running.remove(&instance.container);
        ran.ends.insert(instance.clone(), code);
        if code == Some(0) {
            ran.done.insert(instance.container.clone());
        }
    }

    /// A sandbox is said to be gone.
    pub(crate) fn gone(&mut self, uid: &str, sandbox: u64) {
        let Some(ran) = self.pods.get_mut(uid).filter(|ran| ran.sandbox == Some(sandbox)) else { return };
        if !ran.running.is_empty() {
            self.violations.push(format!("{uid}: sandbox {sandbox} is gone while {:?} run (E5)", ran.running));
        }
    }

    /// Everything of a pod is removed.
    pub(crate) fn forgotten(&mut self, uid: &str) {
        let Some(ran) = self.pods.get_mut(uid) else { return };
        ran.forgotten = true;
        if ran.deleted.is_none() {
            self.violations.push(format!("{uid}: is forgotten though nobody deleted it"));
        }
    }

    /// Whether this instance's process was ever started.
    pub(crate) fn has_started(&self, uid: &str, instance: &Instance) -> bool {
        self.pods.get(uid).is_some_and(|ran| ran.starts.contains(instance))
    }

    /// How it ended, if it did: its code, or none if nobody saw it.
    pub(crate) fn end_of(&self, uid: &str, instance: &Instance) -> Option<Option<i32>> {
        self.pods.get(uid)?.ends.get(instance).copied()
    }

    /// What runs of a pod.
    pub(crate) fn running(&self, uid: &str) -> BTreeSet<String> {
        self.pods.get(uid).map(|ran| ran.running.clone()).unwrap_or_default()
    }
}

impl Ran {
    fn enter(&mut self, sandbox: u64) {
        if self.sandbox != Some(sandbox) {
            self.sandbox = Some(sandbox);
            self.begun.clear();
            self.done.clear();
        }
    }

    /// Why this start is not allowed, if it is not.
    fn wrong_about(&self, instance: &Instance, now: u64) -> Option<String> {
        let Instance { container, attempt: _ } = instance;
        if self.running.contains(container) {
            return Some("it runs already (E5)".to_owned());
        }
        if self.starts.contains(instance) {
            return Some("it was started before (E5)".to_owned());
        }
        if self.forgotten {
            return Some("its pod is forgotten".to_owned());
        }
        if self.deleted.is_some_and(|at| now.saturating_sub(at) > UNHEARD_MS) {
            return Some("its pod is deleted (RST-14)".to_owned());
        }
        let own = self.shape.inits.iter().position(|(name, _)| name == container);
        if own.is_some_and(|own| !self.shape.inits[own].1) && self.done.contains(container) {
            return Some("it is done in this sandbox (E3)".to_owned());
        }
        let before = &self.shape.inits[..own.unwrap_or(self.shape.inits.len())];
        let missing = before.iter().find(|(name, sidecar)| {
            let there = if *sidecar { &self.begun } else { &self.done };
            !there.contains(name)
        });
        missing.map(|(name, _)| format!("{name} is before it and not done (E2)"))
    }
}
