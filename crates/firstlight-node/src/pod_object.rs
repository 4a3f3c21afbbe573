//! What does a Pod's object say to the node, beside its settled form? Asked by the keeper.

use firstlight_api::object::{at, text};
use firstlight_api::time;
use firstlight_pod::{Millis, Now, PodId};
use serde_json::Value;

pub(crate) fn id(pod: &Value) -> PodId {
    let word = |field: &str| text(pod, &["metadata", field]).to_owned();
    PodId { namespace: word("namespace"), name: word("name"), uid: word("uid") }
}

/// A deletion that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deletion {
    /// When it was asked, to the second.
    pub(crate) at: Now,
    pub(crate) grace: Millis,
}

/// The deletion asked for: the API keeps when it ends, which is its grace later than when it was asked.
pub(crate) fn deletion(pod: &Value) -> Option<Deletion> {
    let ends = time::read(text(pod, &["metadata", "deletionTimestamp"]))?;
    let seconds = at(pod, &["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_u64).unwrap_or(0);
    let grace = Millis::secs(seconds);
    Some(Deletion { at: Now(ends.0.saturating_sub(grace.0)), grace })
}

/// Whether the pod's phase is final: such a pod needs a worker only to be deleted.
pub(crate) fn is_over(pod: &Value) -> bool {
    matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

/// Whether a pod that is forgotten stays only because others hold it by finalizers.
pub(crate) fn is_held(pod: &Value) -> bool {
    let held = at(pod, &["metadata", "finalizers"]).and_then(Value::as_array).is_some_and(|held| !held.is_empty());
    held && at(pod, &["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_u64) == Some(0)
}

pub(crate) fn without_status(pod: &Value) -> Value {
    let mut pod = pod.clone();
    if let Some(map) = pod.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
            metadata.remove("managedFields");
        }
    }
    pod
}
