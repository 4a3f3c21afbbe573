//! Which pods are the set's: those it owns, and orphans that look like its own and are adopted (T728).

use super::Set;
use super::replica::Pod;
use crate::act::Act;
use crate::world::{World, controller, deleting, name, owners, uid};
use firstlight_api::object::resources;
use firstlight_api::select::Labels;
use firstlight_api::view::View;
use serde_json::{Value, json};

/// The set's pods, in the order of their numbers, and what makes them so.
pub(super) fn pods<'a>(world: &'a World, set: &Set<'_>) -> (Vec<Pod<'a>>, Vec<Act>) {
    let selector = Labels::structured(set.spec.object("selector")).unwrap_or(Labels::Nothing);
    let mut pods = Vec::new();
    let mut acts = Vec::new();
    for object in world.list(resources::PODS, &set.key.namespace) {
        let ours = controller(object).is_some_and(|owner| owner.text("uid") == uid(set.object));
        let Some(pod) = Pod::of(object, set.name()) else {
            if ours && !deleting(object) {
                acts.push(release(set, object));
            }
            continue;
        };
        match (ours, controller(object), selector.matches(object)) {
            (true, _, true) => pods.push(pod),
            (true, _, false) => {
                if !deleting(object) {
                    acts.push(release(set, object));
                }
            }
            (false, None, true) if !deleting(object) => {
                acts.push(adopt(set, object));
                pods.push(pod);
            }
            (false, _, _) => {}
        }
    }
    pods.sort_by_key(|pod| pod.ordinal);
    (pods, acts)
}

fn adopt(set: &Set<'_>, pod: &Value) -> Act {
    let owners: Vec<Value> = owners(pod).iter().cloned().chain([set.owner()]).collect();
    set_owners(set, pod, &owners)
}

fn release(set: &Set<'_>, pod: &Value) -> Act {
    let owners: Vec<Value> = owners(pod).iter().filter(|owner| owner.text("uid") != uid(set.object)).cloned().collect();
    set_owners(set, pod, &owners)
}

fn set_owners(set: &Set<'_>, pod: &Value, owners: &[Value]) -> Act {
    let version = pod.object("metadata").text("resourceVersion");
    let patch = json!({ "metadata": { "ownerReferences": owners, "resourceVersion": version } });
    Act::Patch { key: set.pod_key(name(pod)), patch }
}
