//! Namespaces that are going away: everything in them is deleted, then the finalizer comes off.
//!
//! Upstream: `pkg/controller/namespace/deletion`.

use crate::act::{Act, Plan};
use crate::world::{WATCHED, World, deleting};
use firstlight_api::object::{Key, resources};
use firstlight_api::schema::Kind;
use firstlight_api::view::View;
use serde_json::{Value, json};

/// The finalizer that holds a Namespace until it is empty.
const FINALIZER: &str = "kubernetes";

/// What is to be done about a Namespace.
///
/// Deleting is asked for again only while something is left that nobody has asked to delete yet: what takes its time
/// (a pod's grace, a finalizer) is waited for.
#[must_use]
pub fn decide(world: &World, key: &Key) -> Plan {
    let Some(namespace) = world.get(key).filter(|namespace| deleting(namespace)) else { return Plan::default() };
    let held = namespace.object("spec").texts("finalizers").iter().any(|finalizer| finalizer == FINALIZER);
    if !held {
        return Plan::default();
    }
    let mut acts = Vec::new();
    let mut empty = true;
    for resource in WATCHED.into_iter().filter(|resource| Kind::of(*resource).is_some_and(|kind| kind.namespaced)) {
        empty &= world.list(resource, &key.name).next().is_none();
        if world.list(resource, &key.name).any(|object| !deleting(object)) {
            acts.push(Act::DeleteAll { resource, namespace: key.name.clone() });
        }
    }
    if empty {
        acts.push(Act::DeleteAll { resource: resources::EVENTS, namespace: key.name.clone() });
        acts.push(Act::Finalize { namespace: without_finalizer(namespace) });
    }
    Plan { acts, wake_ms: None }
}

fn without_finalizer(namespace: &Value) -> Value {
    let mut namespace = namespace.clone();
    let rest = namespace.object("spec").texts("finalizers").into_iter().filter(|finalizer| finalizer != FINALIZER);
    let rest = json!(rest.collect::<Vec<_>>());
    if let Some(spec) = namespace.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("finalizers".to_owned(), rest);
    }
    namespace
}
