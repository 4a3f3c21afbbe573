//! What the set says of itself (STS-11).

use super::replica::Pod;
use super::revision::Revisions;
use super::{Set, Update};
use crate::act::Act;
use firstlight_api::view::View;
use serde_json::{Value, json};

/// The status that follows from what is there.
pub(super) fn compute(set: &Set<'_>, pods: &[Pod<'_>], revisions: &Revisions) -> Value {
    let count =
        |counts: &dyn Fn(&Pod<'_>) -> bool| i64::try_from(pods.iter().filter(|p| counts(p)).count()).unwrap_or(0);
    let of = |revision: &str| count(&|pod: &Pod<'_>| pod.revision() == revision && !pod.terminating());
    let total = count(&|_| true);
    let ready = count(&|pod: &Pod<'_>| pod.ready());
    let updated = of(&revisions.update.name);
    let arrived = matches!(set.update, Update::Rolling { .. })
        && [total, ready, updated].iter().all(|number| *number == set.replicas);
    let current = if arrived { &revisions.update.name } else { &revisions.current.name };
    json!({
        "observedGeneration": set.object.object("metadata").int("generation").unwrap_or(0),
        "replicas": total,
        "readyReplicas": ready,
        "availableReplicas": count(&|pod: &Pod<'_>| pod.available(set)),
        "currentReplicas": of(current),
        "updatedReplicas": updated,
        "currentRevision": current,
        "updateRevision": revisions.update.name,
        "collisionCount": revisions.collisions,
    })
}

/// Writes it, if it differs in anything it says; conditions and fields of others stay.
pub(super) fn act(set: &Set<'_>, status: &Value) -> Option<Act> {
    let old = set.object.object("status");
    let said = |key: &str| old.get_some(key).cloned().unwrap_or(json!(0));
    let same = status.as_object().into_iter().flatten().all(|(key, value)| said(key) == *value);
    if same {
        return None;
    }
    let mut object = set.object.clone();
    let fields = object.as_object_mut()?;
    let merged = fields.entry("status").or_insert_with(|| json!({}));
    if let (Some(merged), Some(status)) = (merged.as_object_mut(), status.as_object()) {
        merged.extend(status.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Some(Act::Status { key: set.key.clone(), object })
}
