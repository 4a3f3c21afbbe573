//! StatefulSets (STS-1 to STS-13): pods with names that stay.
//!
//! ```text
//!  claim pods ─► revisions of the template ─► status ─► replicas, lowest first ─► surplus, highest first ─► update,
//!                                                       (one at a time, or all    (one at a time)           highest
//!                                                        at once if Parallel)                               first
//! ```
//!
//! Upstream: `pkg/controller/statefulset/stateful_set_control.go`. A round stops at the first thing that must be waited
//! for, and begins anew with the next change.
//!
//! | file | what it decides |
//! | --- | --- |
//! | `stateful_set/claim.rs` | which pods are the set's |
//! | `stateful_set/revision.rs` | the history of the template |
//! | `stateful_set/replica.rs` | a pod: its name, how it stands, how it is made |
//! | `stateful_set/rollout.rs` | which pods to make and which to delete now |
//! | `stateful_set/storage.rs` | claims of pods: made, mounted, kept or not |
//! | `stateful_set/status.rs` | what the set says of itself |

mod claim;
mod replica;
mod revision;
mod rollout;
mod status;
mod storage;

use crate::act::{Event, Plan, Told};
use crate::world::{World, deleting, name};
use firstlight_api::object::{Key, resources};
use firstlight_api::view::View;
use serde_json::Value;

/// What is to be done about a StatefulSet.
#[must_use]
pub fn decide(world: &World, key: &Key, now_ms: u64) -> Plan {
    // What a set that is going away owns is collected as garbage.
    let Some(set) = world.get(key).filter(|set| !deleting(set)) else { return Plan::default() };
    let set = Set::new(key, set, now_ms);
    let (pods, mut acts) = claim::pods(world, &set);
    let revisions = revision::settle(world, &set, &pods);
    let status = status::compute(&set, &pods, &revisions);
    acts.extend(revisions.acts.iter().cloned());
    acts.extend(status::act(&set, &status));
    acts.extend(storage::keep(world, &set, &pods));
    acts.extend(rollout::decide(world, &set, &pods, &revisions));
    Plan { acts, wake_ms: rollout::wake(&set, &pods) }
}

/// A StatefulSet, read once.
struct Set<'a> {
    key: &'a Key,
    object: &'a Value,
    spec: &'a Value,
    /// How many pods are wanted.
    replicas: i64,
    /// The number of the first.
    start: i64,
    /// Whether pods are made and deleted one at a time.
    ordered: bool,
    /// How pods of another revision are replaced.
    update: Update,
    /// How long a pod must have been ready to count as available.
    min_ready_ms: u64,
    now_ms: u64,
}

/// `spec.updateStrategy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Update {
    /// Only what somebody else deletes is replaced.
    OnDelete,
    /// From the highest down to this place in the line.
    Rolling {
        /// Pods before it keep their revision.
        partition: i64,
    },
}

impl<'a> Set<'a> {
    fn new(key: &'a Key, object: &'a Value, now_ms: u64) -> Set<'a> {
        let spec = object.object("spec");
        let strategy = spec.object("updateStrategy");
        let partition = strategy.object("rollingUpdate").int("partition").unwrap_or(0);
        Set {
            key,
            object,
            spec,
            replicas: spec.int("replicas").unwrap_or(1),
            start: spec.object("ordinals").int("start").unwrap_or(0),
            ordered: spec.text("podManagementPolicy") != "Parallel",
            update: if strategy.text("type") == "OnDelete" { Update::OnDelete } else { Update::Rolling { partition } },
            min_ready_ms: u64::try_from(spec.int("minReadySeconds").unwrap_or(0)).unwrap_or(0).saturating_mul(1000),
            now_ms,
        }
    }

    fn name(&self) -> &'a str {
        name(self.object)
    }

    fn pod_key(&self, pod: &str) -> Key {
        Key::new(resources::PODS, &self.key.namespace, pod)
    }

    /// `NAME-3`
    fn pod_name(&self, ordinal: i64) -> String {
        format!("{}-{ordinal}", self.name())
    }

    /// An owner reference that makes the set the manager of what carries it.
    fn owner(&self) -> Value {
        serde_json::json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": self.name(), "uid": crate::world::uid(self.object),
            "controller": true, "blockOwnerDeletion": true,
        })
    }

    fn event(&self, warning: bool, reason: &'static str, message: String) -> Event {
        Event { about: self.object.clone(), component: "statefulset-controller", warning, reason, message }
    }

    /// STS-10: what people are told when a pod was made or deleted, or could not be.
    fn told(&self, verb: &str, done: &'static str, failed: &'static str, pod: &str) -> Told {
        let what = format!("{verb} Pod {pod} in StatefulSet {}", self.name());
        Told {
            done: self.event(false, done, format!("{what} successful")),
            failed: self.event(true, failed, format!("{what} failed error: ")),
        }
    }
}
