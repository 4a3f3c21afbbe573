//! The rows of the kinds other than Pod.

use super::{Column, age, ago, name, narrow, number, wide};
use crate::view::View;
use firstlight_pod::Now;
use serde_json::{Value, json};

/// The endpoints and ports a slice's row names before it says how many more there are.
const NAMED_AT_MOST: usize = 3;

pub(super) const NAMESPACE: &[Column] = &[narrow("Name"), narrow("Status"), narrow("Age")];

pub(super) fn namespace(object: &Value, now: Now) -> Vec<Value> {
    vec![name(object), json!(object.object("status").text("phase")), age(object, now)]
}

pub(super) const NODE: &[Column] = &[
    narrow("Name"),
    narrow("Status"),
    narrow("Roles"),
    narrow("Age"),
    narrow("Version"),
    wide("Internal-IP"),
    wide("External-IP"),
    wide("OS-Image"),
    wide("Kernel-Version"),
    wide("Container-Runtime"),
];

pub(super) fn node(object: &Value, now: Now) -> Vec<Value> {
    let status = object.object("status");
    let info = status.object("nodeInfo");
    let address = |kind: &str| {
        let found = status.list("addresses").iter().find(|a| a.text("type") == kind);
        json!(found.and_then(|a| a.text_some("address")).unwrap_or("<none>"))
    };
    let known = |key: &str| json!(info.text_some(key).unwrap_or("<unknown>"));
    vec![
        name(object),
        json!(node_status(object)),
        json!(node_roles(object)),
        age(object, now),
        json!(info.text("kubeletVersion")),
        address("InternalIP"),
        address("ExternalIP"),
        known("osImage"),
        known("kernelVersion"),
        known("containerRuntimeVersion"),
    ]
}

fn node_status(node: &Value) -> String {
    let ready = node.object("status").list("conditions").iter().find(|c| c.text("type") == "Ready");
    let mut words = vec![match ready.map(|c| c.text("status")) {
        None => "Unknown",
        Some("True") => "Ready",
        Some(_) => "NotReady",
    }];
    if node.object("spec").flag("unschedulable") {
        words.push("SchedulingDisabled");
    }
    words.join(",")
}

fn node_roles(node: &Value) -> String {
    let role = |(key, value): (&String, &Value)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => Some(role.to_owned()),
        None if key == "kubernetes.io/role" => value.as_str().map(str::to_owned),
        None => None,
    };
    let roles = node.object("metadata").members("labels").filter_map(role).filter(|role| !role.is_empty());
    or_none(roles.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(","))
}

pub(super) const CONFIG_MAP: &[Column] = &[narrow("Name"), narrow("Data"), narrow("Age")];

pub(super) fn config_map(object: &Value, now: Now) -> Vec<Value> {
    let count = object.members("data").count() + object.members("binaryData").count();
    vec![name(object), json!(count), age(object, now)]
}

pub(super) const SECRET: &[Column] = &[narrow("Name"), narrow("Type"), narrow("Data"), narrow("Age")];

pub(super) fn secret(object: &Value, now: Now) -> Vec<Value> {
    vec![name(object), json!(object.text("type")), json!(object.members("data").count()), age(object, now)]
}

pub(super) const CLAIM: &[Column] = &[
    narrow("Name"),
    narrow("Status"),
    narrow("Volume"),
    narrow("Capacity"),
    narrow("Access Modes"),
    narrow("StorageClass"),
    narrow("VolumeAttributesClass"),
    narrow("Age"),
    wide("VolumeMode"),
];

pub(super) fn claim(object: &Value, now: Now) -> Vec<Value> {
    let (spec, status) = (object.object("spec"), object.object("status"));
    let phase = match object.object("metadata").get_some("deletionTimestamp") {
        Some(_) => "Terminating",
        None => status.text("phase"),
    };
    let short = |mode: &String| match mode.as_str() {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    let modes: Vec<&str> = status.texts("accessModes").iter().map(short).collect();
    let or_unset = |text: &str| if text.is_empty() { "<unset>".to_owned() } else { text.to_owned() };
    vec![
        name(object),
        json!(phase),
        json!(spec.text("volumeName")),
        json!(status.object("capacity").text("storage")),
        json!(modes.join(",")),
        json!(spec.text("storageClassName")),
        json!(or_unset(spec.text("volumeAttributesClassName"))),
        age(object, now),
        json!(or_unset(spec.text("volumeMode"))),
    ]
}

pub(super) const SERVICE: &[Column] = &[
    narrow("Name"),
    narrow("Type"),
    narrow("Cluster-IP"),
    narrow("External-IP"),
    narrow("Port(s)"),
    narrow("Age"),
    wide("Selector"),
];

pub(super) fn service(object: &Value, now: Now) -> Vec<Value> {
    let spec = object.object("spec");
    let external = spec.texts("externalIPs").join(",");
    let external = if spec.text("type") == "ExternalName" { spec.text("externalName").to_owned() } else { external };
    vec![
        name(object),
        json!(spec.text("type")),
        json!(spec.text_some("clusterIP").unwrap_or("<none>")),
        json!(or_none(external)),
        json!(or_none(service_ports(spec))),
        age(object, now),
        json!(or_none(selector(spec))),
    ]
}

fn service_ports(spec: &Value) -> String {
    let port = |port: &Value| {
        let number = port.int("port").unwrap_or(0);
        match port.int("nodePort").unwrap_or(0) {
            0 => format!("{number}/{}", port.text("protocol")),
            node => format!("{number}:{node}/{}", port.text("protocol")),
        }
    };
    spec.list("ports").iter().map(port).collect::<Vec<_>>().join(",")
}

fn selector(spec: &Value) -> String {
    let pair = |(key, value): (&String, &Value)| format!("{key}={}", value.as_str().unwrap_or(""));
    spec.members("selector").map(pair).collect::<Vec<_>>().join(",")
}

pub(super) const EVENT: &[Column] = &[
    narrow("Last Seen"),
    narrow("Type"),
    narrow("Reason"),
    narrow("Object"),
    wide("Subobject"),
    wide("Source"),
    narrow("Message"),
    wide("First Seen"),
    wide("Count"),
    wide("Name"),
];

/// Reads both views of an event: core/v1 and events.k8s.io/v1, which names the same things differently.
pub(super) fn event(object: &Value, now: Now) -> Vec<Value> {
    let either = |core: &str, other: &str| object.text_some(core).unwrap_or_else(|| object.text(other)).to_owned();
    let about = object.get_some("involvedObject").unwrap_or_else(|| object.object("regarding"));
    let series = object.object("series");
    let first = [either("firstTimestamp", "deprecatedFirstTimestamp"), object.text("eventTime").to_owned()];
    let first = first.into_iter().find(|t| !t.is_empty()).unwrap_or_default();
    let last = [series.text("lastObservedTime").to_owned(), either("lastTimestamp", "deprecatedLastTimestamp")];
    let last = last.into_iter().find(|t| !t.is_empty()).unwrap_or_else(|| first.clone());
    let count = [series.int("count"), object.int("count"), object.int("deprecatedCount")];
    let count = count.into_iter().flatten().find(|count| *count != 0).unwrap_or(1);
    vec![
        json!(ago(&last, now)),
        json!(object.text("type")),
        json!(object.text("reason")),
        json!(event_object(about)),
        json!(about.text("fieldPath")),
        json!(event_source(object)),
        json!(either("message", "note").trim()),
        json!(ago(&first, now)),
        json!(count),
        name(object),
    ]
}

fn event_object(about: &Value) -> String {
    let kind = about.text("kind").to_lowercase();
    match about.text("name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn event_source(event: &Value) -> String {
    let source = event.get_some("source").unwrap_or_else(|| event.object("deprecatedSource"));
    let component = source.text_some("component");
    let component = component.or_else(|| event.text_some("reportingComponent"));
    let component = component.unwrap_or_else(|| event.text("reportingController"));
    let host = source.text_some("host").unwrap_or_else(|| event.text("reportingInstance"));
    if host.is_empty() { component.to_owned() } else { format!("{component}, {host}") }
}

pub(super) const SERVICE_ACCOUNT: &[Column] = &[narrow("Name"), narrow("Secrets"), narrow("Age")];

pub(super) fn service_account(object: &Value, now: Now) -> Vec<Value> {
    vec![name(object), json!(object.list("secrets").len()), age(object, now)]
}

pub(super) const ENDPOINT_SLICE: &[Column] =
    &[narrow("Name"), narrow("AddressType"), narrow("Ports"), narrow("Endpoints"), narrow("Age")];

pub(super) fn endpoint_slice(object: &Value, now: Now) -> Vec<Value> {
    let ports = object.list("ports").iter().map(|port| match port.int("port") {
        Some(number) => number.to_string(),
        None => port.text_some("name").unwrap_or("*").to_owned(),
    });
    let addresses = object.list("endpoints").iter().flat_map(|endpoint| endpoint.texts("addresses"));
    vec![
        name(object),
        json!(object.text("addressType")),
        json!(some_of(ports.collect())),
        json!(some_of(addresses.collect())),
        age(object, now),
    ]
}

/// The first few, and how many more there are.
fn some_of(all: Vec<String>) -> String {
    let named = all.iter().take(NAMED_AT_MOST).cloned().collect::<Vec<_>>().join(",");
    match all.len().saturating_sub(NAMED_AT_MOST) {
        0 if named.is_empty() => "<unset>".to_owned(),
        0 => named,
        more => format!("{named} + {more} more..."),
    }
}

pub(super) const LEASE: &[Column] = &[narrow("Name"), narrow("Holder"), narrow("Age")];

pub(super) fn lease(object: &Value, now: Now) -> Vec<Value> {
    vec![name(object), json!(object.object("spec").text("holderIdentity")), age(object, now)]
}

pub(super) const STATEFUL_SET: &[Column] =
    &[narrow("Name"), narrow("Ready"), narrow("Age"), wide("Containers"), wide("Images")];

pub(super) fn stateful_set(object: &Value, now: Now) -> Vec<Value> {
    let spec = object.object("spec");
    let ready = object.object("status").int("readyReplicas").unwrap_or(0);
    let containers = spec.object("template").object("spec").list("containers");
    let each = |key: &str| json!(containers.iter().map(|c| c.text(key)).collect::<Vec<_>>().join(","));
    vec![
        name(object),
        json!(format!("{ready}/{}", spec.int("replicas").unwrap_or(0))),
        age(object, now),
        each("name"),
        each("image"),
    ]
}

pub(super) const CONTROLLER_REVISION: &[Column] =
    &[narrow("Name"), narrow("Controller"), number("Revision"), narrow("Age")];

pub(super) fn controller_revision(object: &Value, now: Now) -> Vec<Value> {
    let owner = object.object("metadata").list("ownerReferences").iter().find(|o| o.flag("controller"));
    let controller = owner.map(|owner| {
        let (group, _) = crate::schema::group_version(owner.text("apiVersion"));
        let kind = owner.text("kind").to_lowercase();
        let dot = if group.is_empty() { "" } else { "." };
        format!("{kind}{dot}{group}/{}", owner.text("name"))
    });
    vec![
        name(object),
        json!(or_none(controller.unwrap_or_default())),
        json!(object.int("revision").unwrap_or(0)),
        age(object, now),
    ]
}

/// What upstream shows for kinds it has no columns for.
pub(super) const OTHER: &[Column] = &[narrow("Name"), Column { name: "Created At", kind: "date", wide: false }];

pub(super) fn other(object: &Value) -> Vec<Value> {
    vec![name(object), json!(object.object("metadata").text("creationTimestamp"))]
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}
