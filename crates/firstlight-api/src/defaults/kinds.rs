//! What the smaller kinds leave open.

use super::template;
use crate::view::{Fill, View};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// A Service. Families follow from being headless and of one family, as every pod address here is IPv4.
pub(super) fn service(service: &mut Value) {
    let Some(spec) = service.nested("spec") else { return };
    spec.fill("type", "ClusterIP");
    spec.fill("sessionAffinity", "None");
    for port in spec.items("ports") {
        port.fill("protocol", "TCP");
        let number = port.object("port").clone();
        port.fill("targetPort", number);
    }
    if spec.text("type") != "ExternalName" {
        spec.fill("internalTrafficPolicy", "Cluster");
    }
    if spec.text("clusterIP") == "None" {
        spec.fill("clusterIPs", json!(["None"]));
        spec.fill("ipFamilies", json!(["IPv4"]));
        spec.fill("ipFamilyPolicy", "SingleStack");
    }
}

/// A StatefulSet, with its template.
pub(super) fn stateful_set(set: &mut Value) {
    let Some(spec) = set.nested("spec") else { return };
    spec.fill("replicas", 1);
    spec.fill("podManagementPolicy", "OrderedReady");
    spec.fill("revisionHistoryLimit", 10);
    if let Some(strategy) = spec.nested("updateStrategy") {
        strategy.fill("type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = strategy.nested("rollingUpdate")
        {
            rolling.fill("partition", 0);
        }
    }
    if let Some(retention) = spec.nested("persistentVolumeClaimRetentionPolicy") {
        retention.fill("whenDeleted", "Retain");
        retention.fill("whenScaled", "Retain");
    }
    for claim in spec.items("volumeClaimTemplates") {
        claim.fill("apiVersion", "v1");
        claim.fill("kind", "PersistentVolumeClaim");
        self::claim(claim);
    }
    template(spec);
}

/// A PersistentVolumeClaim, or the template of one.
pub(super) fn claim(claim: &mut Value) {
    if let Some(spec) = claim.nested("spec") {
        spec.fill("volumeMode", "Filesystem");
    }
    if let Some(status) = claim.nested("status") {
        status.fill("phase", "Pending");
    }
}

/// A Secret: its type, and `stringData` moved into `data`, over what is there.
pub(super) fn secret(secret: &mut Value) {
    secret.fill("type", "Opaque");
    let Some(map) = secret.as_object_mut() else { return };
    let Some(Value::Object(texts)) = map.remove("stringData") else { return };
    for (key, text) in texts.into_iter().filter(|(_, text)| text.is_string()) {
        let data = map.entry("data").or_insert_with(|| Value::Object(Map::new()));
        if let (Some(data), Some(text)) = (data.as_object_mut(), text.as_str()) {
            data.insert(key, Value::String(BASE64_STANDARD.encode(text)));
        }
    }
}

/// A Namespace: the finalizer that holds it until its content is gone, and the label that selects it by name.
pub(super) fn namespace(namespace: &mut Value) {
    let name = namespace.object("metadata").text("name").to_owned();
    if !name.is_empty()
        && let Some(labels) = namespace.nested("metadata").and_then(|metadata| metadata.nested("labels"))
    {
        labels.fill("kubernetes.io/metadata.name", name);
    }
    if namespace.object("metadata").get_some("deletionTimestamp").is_none()
        && let Some(spec) = namespace.nested("spec")
    {
        spec.fill("finalizers", json!(["kubernetes"]));
    }
    if let Some(status) = namespace.nested("status") {
        status.fill("phase", "Active");
    }
}

/// An EndpointSlice's ports.
pub(super) fn endpoint_slice(slice: &mut Value) {
    for port in slice.items("ports") {
        port.fill("name", "");
        port.fill("protocol", "TCP");
    }
}
