//! The claims of a set's pods: one for each template and number, made before the pod and kept after it (STS-2).
//!
//! Upstream: `pkg/controller/statefulset/stateful_set_utils.go`. Whether a claim goes with its set or its pod is said by
//! who owns it: what is owned by what is gone is collected as garbage.

use super::Set;
use super::replica::Pod;
use crate::act::{Act, Told};
use crate::world::{World, deleting, name, owners, uid};
use firstlight_api::object::{Key, resources};
use firstlight_api::view::{Fill, View};
use serde_json::{Map, Value, json};

/// Makes what the pod of this number needs and does not have.
pub(super) fn create(world: &World, set: &Set<'_>, ordinal: i64) -> Vec<Act> {
    let missing = templates(set).filter(|template| world.get(&key(set, template, ordinal)).is_none());
    missing.map(|template| make(set, template, ordinal)).collect()
}

/// Has the volumes of a pod's spec be the claims of its number, in the place of volumes that have their names.
pub(super) fn mount(set: &Set<'_>, ordinal: i64, spec: &mut Map<String, Value>) {
    let claims: Vec<(&str, String)> =
        templates(set).map(|template| (name(template), key(set, template, ordinal).name)).collect();
    if claims.is_empty() {
        return;
    }
    let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
    let Some(volumes) = volumes.as_array_mut() else { return };
    volumes.retain(|volume| claims.iter().all(|(template, _)| volume.text("name") != *template));
    let claimed = claims
        .into_iter()
        .map(|(template, claim)| json!({ "name": template, "persistentVolumeClaim": { "claimName": claim } }));
    volumes.extend(claimed);
}

/// Has each claim owned by whom it is to go with, if by anybody: the set, and the pod if that is too much.
pub(super) fn keep(world: &World, set: &Set<'_>, pods: &[Pod<'_>]) -> Vec<Act> {
    let policy = set.spec.object("persistentVolumeClaimRetentionPolicy");
    let (by_set, by_pod) = (policy.text("whenDeleted") == "Delete", policy.text("whenScaled") == "Delete");
    let mut acts = Vec::new();
    for pod in pods {
        let surplus = pod.ordinal < set.start || pod.ordinal >= set.start.saturating_add(set.replicas);
        for key in templates(set).map(|template| key(set, template, pod.ordinal)) {
            let Some(claim) = world.get(&key).filter(|claim| !deleting(claim)) else { continue };
            let ours = [uid(set.object), uid(pod.object)];
            let others = owners(claim).iter().filter(|owner| !ours.contains(&owner.text("uid"))).cloned();
            let set_owns = by_set && !(surplus && by_pod);
            let own = [
                set_owns.then(|| reference("apps/v1", "StatefulSet", set.object)),
                (surplus && by_pod).then(|| reference("v1", "Pod", pod.object)),
            ];
            let wanted: Vec<Value> = others.chain(own.into_iter().flatten()).collect();
            if wanted != owners(claim) {
                let version = claim.object("metadata").text("resourceVersion");
                let patch = json!({ "metadata": { "ownerReferences": wanted, "resourceVersion": version } });
                acts.push(Act::Patch { key, patch });
            }
        }
    }
    acts
}

fn templates<'a>(set: &Set<'a>) -> impl Iterator<Item = &'a Value> + use<'a> {
    set.spec.list("volumeClaimTemplates").iter()
}

/// `TEMPLATE-SET-3`
fn key(set: &Set<'_>, template: &Value, ordinal: i64) -> Key {
    let claim = format!("{}-{}", name(template), set.pod_name(ordinal));
    Key::new(resources::PERSISTENTVOLUMECLAIMS, &set.key.namespace, claim)
}

fn make(set: &Set<'_>, template: &Value, ordinal: i64) -> Act {
    let mut claim = template.clone();
    let key = key(set, template, ordinal);
    claim.fill("metadata", Map::new());
    if let Some(claim) = claim.as_object_mut() {
        claim.remove("status");
        claim.insert("apiVersion".to_owned(), json!("v1"));
        claim.insert("kind".to_owned(), json!("PersistentVolumeClaim"));
    }
    if let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("creationTimestamp");
        metadata.insert("name".to_owned(), json!(key.name));
        metadata.insert("namespace".to_owned(), json!(key.namespace));
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        let selected = set.spec.object("selector").members("matchLabels");
        if let Some(labels) = labels.as_object_mut() {
            labels.extend(selected.map(|(key, value)| (key.clone(), value.clone())));
        }
    }
    let what = format!("create Claim {} Pod {} in StatefulSet {}", key.name, set.pod_name(ordinal), set.name());
    let told = Told {
        done: set.event(false, "SuccessfulCreate", format!("{what} success")),
        failed: set.event(true, "FailedCreate", format!("{what} failed error: ")),
    };
    Act::Create { resource: resources::PERSISTENTVOLUMECLAIMS, object: claim, told: Some(told) }
}

fn reference(version: &str, kind: &str, owner: &Value) -> Value {
    json!({ "apiVersion": version, "kind": kind, "name": name(owner), "uid": uid(owner) })
}
