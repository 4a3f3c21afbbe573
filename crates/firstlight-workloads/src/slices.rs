//! EndpointSlices: which addresses stand behind a Service with a selector, and which of them are ready.
//!
//! DNS answers are made from these (NET-3, NET-4). Upstream: `staging/src/k8s.io/endpointslice`. One slice holds the pods
//! on which the Service's ports mean the same numbers, in the order of the pods' names. Slices that are there are used
//! again; new ones have names made from the Service's UID, so that deciding twice gives the same names.

use crate::act::{Act, Plan, Policy};
use crate::hash::{fnv, spelled};
use crate::world::{World, deleting, name, uid};
use firstlight_api::object::{Key, resources};
use firstlight_api::select::Labels;
use firstlight_api::view::View;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The label that says which Service a slice belongs to.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";
/// The label that says who keeps it, and our name there; the same as upstream's, whose slices these are.
const MANAGER_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
/// The label of slices of headless Services.
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";
/// The most endpoints in one slice (upstream: `--max-endpoints-per-slice`).
const ENDPOINTS_MAX: usize = 100;

/// Whether a Service's selector selects this pod.
#[must_use]
pub fn selects(service: &Value, pod: &Value) -> bool {
    let selector = service.object("spec").get_some("selector").and_then(Value::as_object);
    selector.is_some_and(|selector| !selector.is_empty() && Labels::of_map(selector).matches(pod))
}

/// What the slices of a Service should be, against what they are.
#[must_use]
pub fn decide(world: &World, key: &Key) -> Plan {
    let Some(service) = world.get(key).filter(|service| !deleting(service)) else { return Plan::default() };
    if service.object("spec").members("selector").next().is_none() {
        // Somebody else says what stands behind it.
        return Plan::default();
    }
    let all = world.list(resources::ENDPOINTSLICES, &key.namespace);
    let mut present: Vec<&Value> = all.filter(|slice| is_ours(slice, &key.name) && !deleting(slice)).collect();
    let mut acts = Vec::new();
    let mut taken: BTreeSet<String> = present.iter().map(|slice| name(slice).to_owned()).collect();
    let mut homeless = Vec::new();
    for content in contents(world, key, service) {
        // A slice with these ports keeps them; watchers see its endpoints change and nothing else.
        match present.iter().position(|slice| slice.list("ports") == content.ports) {
            Some(at) => acts.extend(brought_up(present.remove(at), key, service, &content)),
            None => homeless.push(content),
        }
    }
    for content in homeless {
        match present.pop() {
            Some(slice) => acts.extend(brought_up(slice, key, service, &content)),
            None => acts.push(created(key, service, &content, &mut taken)),
        }
    }
    acts.extend(present.into_iter().map(|slice| {
        let key = Key::new(resources::ENDPOINTSLICES, &key.namespace, name(slice));
        Act::Delete { key, uid: uid(slice).to_owned(), policy: Policy::Background, told: None }
    }));
    Plan { acts, wake_ms: None }
}

fn is_ours(slice: &Value, service: &str) -> bool {
    let labels = slice.object("metadata").object("labels");
    labels.text(SERVICE_LABEL) == service && labels.text(MANAGER_LABEL) == MANAGER
}

/// What one slice says.
struct Content {
    ports: Vec<Value>,
    endpoints: Vec<Value>,
}

/// What all slices of the Service say together; never nothing, so that somebody who looks finds an answer.
fn contents(world: &World, key: &Key, service: &Value) -> Vec<Content> {
    let mut groups: BTreeMap<String, Content> = BTreeMap::new();
    let pods = world.list(resources::PODS, &key.namespace).filter(|pod| selects(service, pod));
    for (pod, endpoint) in pods.filter_map(|pod| endpoint(service, pod).map(|endpoint| (pod, endpoint))) {
        let ports = ports(service, pod);
        let group = groups.entry(json!(ports).to_string());
        group.or_insert_with(|| Content { ports, endpoints: Vec::new() }).endpoints.push(endpoint);
    }
    let mut contents = Vec::new();
    for Content { ports, endpoints } in groups.into_values() {
        let chunks = endpoints.chunks(ENDPOINTS_MAX);
        contents.extend(chunks.map(|chunk| Content { ports: ports.clone(), endpoints: chunk.to_vec() }));
    }
    if contents.is_empty() {
        contents.push(Content { ports: Vec::new(), endpoints: Vec::new() });
    }
    contents
}

fn created(key: &Key, service: &Value, content: &Content, taken: &mut BTreeSet<String>) -> Act {
    let name = (0_u32..)
        .map(|number| format!("{}-{}", key.name, spelled(fnv(&[uid(service).as_bytes(), &number.to_be_bytes()]))))
        .find(|name| taken.insert(name.clone()))
        .unwrap_or_default();
    let owner = json!({
        "apiVersion": "v1", "kind": "Service", "name": key.name, "uid": uid(service),
        "controller": true, "blockOwnerDeletion": true,
    });
    let metadata = json!({
        "name": name, "namespace": key.namespace, "labels": labels(key, service), "ownerReferences": [owner],
    });
    let object = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
        "addressType": "IPv4", "endpoints": content.endpoints, "ports": content.ports,
    });
    Act::Create { resource: resources::ENDPOINTSLICES, object, told: None }
}

fn labels(key: &Key, service: &Value) -> Map<String, Value> {
    let mut labels = service.object("metadata").object("labels").as_object().cloned().unwrap_or_default();
    labels.insert(SERVICE_LABEL.to_owned(), json!(key.name));
    labels.insert(MANAGER_LABEL.to_owned(), json!(MANAGER));
    if service.object("spec").text("clusterIP") == "None" {
        labels.insert(HEADLESS_LABEL.to_owned(), json!(""));
    }
    labels
}

/// The act that makes a slice what it should be, if it is not; labels of others are kept.
fn brought_up(old: &Value, key: &Key, service: &Value, content: &Content) -> Option<Act> {
    let wanted = labels(key, service);
    let said = old.object("metadata").object("labels");
    let labelled = wanted.iter().all(|(key, value)| said.get_some(key) == Some(value));
    if labelled && old.list("endpoints") == content.endpoints && old.list("ports") == content.ports {
        return None;
    }
    let mut new = old.clone();
    let fields = new.as_object_mut()?;
    fields.insert("endpoints".to_owned(), json!(content.endpoints));
    fields.insert("ports".to_owned(), json!(content.ports));
    let metadata = fields.get_mut("metadata").and_then(Value::as_object_mut)?;
    let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new())).as_object_mut()?;
    labels.extend(wanted);
    Some(Act::Replace { key: Key::new(resources::ENDPOINTSLICES, &key.namespace, name(old)), object: new })
}

/// A pod as an endpoint; none while it has no address or after it has ended.
fn endpoint(service: &Value, pod: &Value) -> Option<Value> {
    let (spec, status) = (pod.object("spec"), pod.object("status"));
    let address = status.text_some("podIP")?;
    if matches!(status.text("phase"), "Succeeded" | "Failed") {
        return None;
    }
    let serving = status.list("conditions").iter().any(|c| c.text("type") == "Ready" && c.text("status") == "True");
    let ready = service.object("spec").flag("publishNotReadyAddresses") || (serving && !deleting(pod));
    let namespace = pod.object("metadata").text("namespace");
    let mut endpoint = json!({
        "addresses": [address],
        "conditions": { "ready": ready, "serving": serving, "terminating": deleting(pod) },
        "targetRef": { "kind": "Pod", "namespace": namespace, "name": name(pod), "uid": uid(pod) },
    });
    let named = spec.text_some("hostname").filter(|_| spec.text("subdomain") == name(service));
    let fields = endpoint.as_object_mut()?;
    fields.extend(named.map(|hostname| ("hostname".to_owned(), json!(hostname))));
    fields.extend(spec.text_some("nodeName").map(|node| ("nodeName".to_owned(), json!(node))));
    Some(endpoint)
}

/// What the Service's ports mean on this pod; a name that the pod does not have means nothing there.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let ports = service.object("spec").list("ports").iter();
    ports
        .filter_map(|port| {
            let protocol = port.text_some("protocol").unwrap_or("TCP");
            let number = match port.get_some("targetPort") {
                Some(Value::String(target)) => named_port(pod, target, protocol)?,
                Some(target) => target.as_i64()?,
                None => port.int("port")?,
            };
            let mut out = json!({ "name": port.text("name"), "protocol": protocol, "port": number });
            if let (Some(hint), Some(fields)) = (port.text_some("appProtocol"), out.as_object_mut()) {
                fields.insert("appProtocol".to_owned(), json!(hint));
            }
            Some(out)
        })
        .collect()
}

/// The number of a container port, of mains and of sidecars.
fn named_port(pod: &Value, target: &str, protocol: &str) -> Option<i64> {
    let spec = pod.object("spec");
    let sidecars = spec.list("initContainers").iter().filter(|c| c.text("restartPolicy") == "Always");
    let ports = spec.list("containers").iter().chain(sidecars).flat_map(|container| container.list("ports"));
    let mut named = ports.filter(|port| port.text("name") == target);
    let fits = |port: &&Value| port.text_some("protocol").unwrap_or("TCP") == protocol;
    named.find(fits)?.int("containerPort")
}
