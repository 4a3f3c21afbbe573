//! What every Namespace has: ServiceAccount `default`, and ConfigMap `kube-root-ca.crt` with the cluster's certificate.
//!
//! Upstream: `pkg/controller/serviceaccount`, `pkg/controller/certificates/rootcacertpublisher`.

use crate::act::{Act, Plan};
use crate::desk::Settings;
use crate::world::{World, deleting};
use firstlight_api::object::{Key, resources};
use firstlight_api::view::View;
use serde_json::{Value, json};

/// The account that pods run as if they name none.
const ACCOUNT: &str = "default";
/// Where pods find the certificate that the API server's own is signed with.
const ROOT_CA: &str = "kube-root-ca.crt";

/// Whether this is one of the objects kept here.
#[must_use]
pub fn is_ours(key: &Key) -> bool {
    match key.resource {
        resources::SERVICEACCOUNTS => key.name == ACCOUNT,
        resources::CONFIGMAPS => key.name == ROOT_CA,
        _ => false,
    }
}

/// What a Namespace lacks.
#[must_use]
pub fn decide(world: &World, key: &Key, settings: &Settings) -> Plan {
    let mut acts = Vec::new();
    if world.get(key).is_none_or(deleting) {
        return Plan::default();
    }
    let namespace = &key.name;
    if world.get(&Key::new(resources::SERVICEACCOUNTS, namespace, ACCOUNT)).is_none() {
        let metadata = json!({ "name": ACCOUNT, "namespace": namespace });
        let object = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata });
        acts.push(Act::Create { resource: resources::SERVICEACCOUNTS, object, told: None });
    }
    if let Some(pem) = &settings.root_ca {
        acts.extend(certificate(world, namespace, pem));
    }
    Plan { acts, wake_ms: None }
}

fn certificate(world: &World, namespace: &str, pem: &str) -> Option<Act> {
    let key = Key::new(resources::CONFIGMAPS, namespace, ROOT_CA);
    let data = json!({ "ca.crt": pem });
    let Some(map) = world.get(&key) else {
        let metadata = json!({ "name": ROOT_CA, "namespace": namespace });
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data });
        return Some(Act::Create { resource: resources::CONFIGMAPS, object, told: None });
    };
    if map.get("data") == Some(&data) {
        return None;
    }
    let mut object: Value = map.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.insert("data".to_owned(), data);
    }
    // An immutable copy cannot be mended; it is left as its owner wants it.
    (!map.flag("immutable")).then_some(Act::Replace { key, object })
}
