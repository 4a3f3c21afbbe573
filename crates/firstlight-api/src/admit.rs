//! What the API itself writes into an object between decoding and validation: generation, first status, identity.
//!
//! The server calls [`create`] or [`update`] for every kind, after [`crate::defaults::apply`]. Sources:
//! `PrepareForCreate` and `PrepareForUpdate` of `pkg/registry/*/*/strategy.go`, and the admission plug-ins
//! ServiceAccount and Priority as far as they concern one node.

mod qos;

pub(crate) use qos::class as qos_class;

use crate::object::resources;
use crate::schema::Kind;
use crate::view::{Fill, View};
use serde_json::{Map, Value, json};

/// Prepares an object that is about to be created.
pub fn create(kind: &Kind, object: &mut Value) {
    match kind.resource {
        resources::PODS => pod_create(object),
        resources::STATEFULSETS => {
            set(object, "status", json!({ "replicas": 0, "availableReplicas": 0 }));
            set_generation(object, 1);
        }
        resources::SERVICES => set(object, "status", json!({ "loadBalancer": {} })),
        resources::PERSISTENTVOLUMECLAIMS => claim_create(object),
        resources::NAMESPACES => set(object, "status", json!({ "phase": "Active" })),
        resources::ENDPOINTSLICES => set_generation(object, 1),
        // Nodes are registered with their status; the other kinds have none.
        _ => {}
    }
}

/// Prepares a Pod that is about to be created: Pending, with its QoS class, generation 1, and what admission adds.
/// A status the client sent is dropped (DEF-4, RES-6, SEC-6).
///
/// No token volume is added: Firstlight has no tokens to hand out, and `automountServiceAccountToken` asks for one only
/// where there is one (see the table of [`crate::honoured`]).
pub fn pod_create(pod: &mut Value) {
    set_generation(pod, 1);
    if let Some(spec) = pod.nested("spec") {
        let name = spec.text_some("serviceAccountName").unwrap_or("default").to_owned();
        set(spec, "serviceAccountName", json!(name));
        set(spec, "serviceAccount", json!(name));
        spec.fill("priority", 0);
        spec.fill("preemptionPolicy", "PreemptLowerPriority");
    }
    let class = qos::class(pod.object("spec"));
    set(pod, "status", json!({ "phase": "Pending", "qosClass": class }));
}

/// What keeps a claim while a pod uses it (upstream: `pkg/controller/volume/pvcprotection`).
pub const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";

/// What a claim is bound to: a directory of this machine, named as provisioners name what they make.
pub(crate) fn claim_volume(claim: &Value) -> String {
    format!("pvc-{}", claim.object("metadata").text("uid"))
}

/// A claim is bound at once, because a directory can always be made; it is made when a pod first uses it (VOL-11). The
/// capacity is what was asked for: nothing measures it.
fn claim_create(claim: &mut Value) {
    let volume = claim_volume(claim);
    let spec = claim.object("spec");
    let (modes, capacity) = (spec.object("accessModes").clone(), spec.object("resources").object("requests").clone());
    if let Some(spec) = claim.nested("spec") {
        spec.fill("volumeName", volume);
    }
    if let Some(metadata) = claim.nested("metadata") {
        let mut finalizers = metadata.texts("finalizers");
        if !finalizers.iter().any(|finalizer| finalizer == CLAIM_FINALIZER) {
            finalizers.push(CLAIM_FINALIZER.to_owned());
        }
        set(metadata, "finalizers", json!(finalizers));
    }
    let mut status = Map::from_iter([("phase".to_owned(), json!("Bound"))]);
    let given = [("accessModes", modes), ("capacity", capacity)].into_iter().filter(|(_, value)| !value.is_null());
    status.extend(given.map(|(key, value)| (key.to_owned(), value)));
    set(claim, "status", Value::Object(status));
}

/// Prepares an object that is about to replace `old` by a write to the main resource: its status stays, and its
/// generation counts changes of what is asked for.
pub fn update(kind: &Kind, old: &Value, new: &mut Value) {
    let has_status = kind.subresource("status").is_some();
    if has_status {
        keep(old, new, "status");
    }
    if counts_generations(kind) {
        let generation = old.object("metadata").int("generation").unwrap_or(0);
        let changed = without_books(old) != without_books(new);
        set_generation(new, if changed { generation.saturating_add(1) } else { generation });
    }
}

/// The next generation: of a Pod whose graceful deletion begins (DEF-4).
pub fn next_generation(object: &mut Value) {
    let generation = object.object("metadata").int("generation").unwrap_or(0);
    set_generation(object, generation.saturating_add(1));
}

fn counts_generations(kind: &Kind) -> bool {
    matches!(kind.resource, resources::PODS | resources::STATEFULSETS | resources::ENDPOINTSLICES)
}

/// The object less what is kept about it rather than asked for: `metadata` and `status`.
fn without_books(object: &Value) -> Map<String, Value> {
    let mut asked = object.as_object().cloned().unwrap_or_default();
    asked.retain(|key, _| !matches!(key.as_str(), "metadata" | "status" | "kind" | "apiVersion"));
    asked
}

fn set_generation(object: &mut Value, generation: i64) {
    if let Some(metadata) = object.nested("metadata") {
        set(metadata, "generation", json!(generation));
    }
}

fn keep(old: &Value, new: &mut Value, key: &str) {
    if let Some(map) = new.as_object_mut() {
        match old.get(key) {
            Some(value) => map.insert(key.to_owned(), value.clone()),
            None => map.remove(key),
        };
    }
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
