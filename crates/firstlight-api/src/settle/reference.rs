//! Downward API: fields of the pod (ENV-9) and resources of a container (ENV-10).

use crate::quantity::Quantity;
use crate::refuse::Refusals;
use crate::view::View;
use firstlight_pod::spec::{FieldRef, ResourceRef};
use serde_json::{Value, json};

/// What `env[].valueFrom.fieldRef` may name, beside single labels and annotations.
pub(crate) const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// What a downward API volume may name, beside single labels and annotations.
pub(crate) const VOLUME_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

/// The field a `fieldPath` means, wherever it may be used.
pub(crate) fn field(path: &str) -> Option<FieldRef> {
    match path {
        "metadata.name" => Some(FieldRef::Name),
        "metadata.namespace" => Some(FieldRef::Namespace),
        "metadata.uid" => Some(FieldRef::Uid),
        "metadata.labels" => Some(FieldRef::Labels),
        "metadata.annotations" => Some(FieldRef::Annotations),
        "spec.nodeName" => Some(FieldRef::NodeName),
        "spec.serviceAccountName" => Some(FieldRef::ServiceAccountName),
        "status.hostIP" | "status.hostIPs" => Some(FieldRef::HostIp),
        "status.podIP" | "status.podIPs" => Some(FieldRef::PodIp),
        _ => subscript(path, "metadata.labels")
            .map(FieldRef::Label)
            .or_else(|| subscript(path, "metadata.annotations").map(FieldRef::Annotation)),
    }
}

fn subscript(path: &str, of: &str) -> Option<String> {
    let key = path.strip_prefix(of)?.strip_prefix("['")?.strip_suffix("']")?;
    Some(key.to_owned()).filter(|key| !key.is_empty())
}

/// Whether `resource` is one of those a `resourceFieldRef` may name.
pub(crate) fn resource_name_ok(resource: &str) -> bool {
    let Some(name) = resource.strip_prefix("limits.").or_else(|| resource.strip_prefix("requests.")) else {
        return false;
    };
    matches!(name, "cpu" | "memory" | "ephemeral-storage")
        || name.strip_prefix("hugepages-").is_some_and(|s| !s.is_empty())
}

pub(super) fn field_ref(of: &Value, path: &str, refused: &mut Refusals) -> Option<FieldRef> {
    let text = of.text("fieldPath");
    let found = field(text);
    if found.is_none() {
        refused.unsupported(&format!("{path}.fieldPath"), json!(text), &ENV_FIELDS);
    }
    found
}

/// `own` is the container the reference is written in, if it is written in one.
pub(super) fn resource_ref(of: &Value, own: Option<&str>, path: &str, refused: &mut Refusals) -> Option<ResourceRef> {
    let resource = of.text("resource");
    if !resource_name_ok(resource) {
        refused.invalid(&format!("{path}.resource"), json!(resource), "must name a resource of a container");
        return None;
    }
    let container = of.text_some("containerName").or(own).unwrap_or("");
    if container.is_empty() {
        refused.required(&format!("{path}.containerName"), "");
        return None;
    }
    Some(ResourceRef { container: container.to_owned(), resource: resource.to_owned(), divisor_micro: divisor(of) })
}

/// No divisor, or zero, means one whole unit.
fn divisor(of: &Value) -> u128 {
    let given = of.get_some("divisor").and_then(|value| Quantity::of(value).ok());
    let micro = given.and_then(|quantity| u128::try_from(quantity.micro()).ok());
    micro.filter(|micro| *micro > 0).unwrap_or(1_000_000)
}
