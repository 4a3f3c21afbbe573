//! Claims that are to go: kept as long as a pod uses them (VOL-11).
//!
//! Upstream: `pkg/controller/volume/pvcprotection`. The API puts the finalizer on; this takes it off.

use crate::act::{Act, Plan};
use crate::world::{World, deleting};
use firstlight_api::admit::CLAIM_FINALIZER;
use firstlight_api::object::{Key, resources};
use firstlight_api::view::View;
use serde_json::{Value, json};

/// What is to be done about a claim.
#[must_use]
pub fn decide(world: &World, key: &Key) -> Plan {
    let Some(claim) = world.get(key).filter(|claim| deleting(claim)) else { return Plan::default() };
    let metadata = claim.object("metadata");
    let (held, rest): (Vec<_>, Vec<_>) =
        metadata.texts("finalizers").into_iter().partition(|finalizer| finalizer == CLAIM_FINALIZER);
    let in_use = world.list(resources::PODS, &key.namespace).any(|pod| !is_over(pod) && uses(pod, &key.name));
    if held.is_empty() || in_use {
        return Plan::default();
    }
    let version = metadata.text("resourceVersion");
    let patch = json!({ "metadata": { "finalizers": rest, "resourceVersion": version } });
    Plan { acts: vec![Act::Patch { key: key.clone(), patch }], wake_ms: None }
}

/// The claims of its namespace that a pod names, as keys.
pub(crate) fn of_pod<'a>(key: &'a Key, pod: &'a Value) -> impl Iterator<Item = Key> + 'a {
    let claims = names(pod).map(str::to_owned);
    claims.map(|name| Key::new(resources::PERSISTENTVOLUMECLAIMS, &key.namespace, name))
}

fn uses(pod: &Value, claim: &str) -> bool {
    names(pod).any(|name| name == claim)
}

fn names(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = pod.object("spec").list("volumes").iter();
    volumes.map(|volume| volume.object("persistentVolumeClaim").text("claimName")).filter(|name| !name.is_empty())
}

/// A pod that is over uses nothing any more, though its object may stay.
fn is_over(pod: &Value) -> bool {
    matches!(pod.object("status").text("phase"), "Succeeded" | "Failed")
}
