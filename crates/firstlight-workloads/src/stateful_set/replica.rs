//! A pod of the set: its number, how it stands, and how it is made (STS-1).

use super::revision::Revision;
use super::{Set, storage};
use crate::act::{Act, Policy};
use crate::world::{deleting, name, uid};
use firstlight_api::object::resources;
use firstlight_api::time;
use firstlight_api::view::{Fill, View};
use serde_json::{Map, Value, json};

/// The label that says which revision a pod was made from.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";
const NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// A pod that has one of the set's names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pod<'a> {
    pub(super) ordinal: i64,
    pub(super) object: &'a Value,
}

impl<'a> Pod<'a> {
    /// The pod, if its name is `SET-NUMBER`.
    pub(super) fn of(object: &'a Value, set: &str) -> Option<Pod<'a>> {
        let number = name(object).strip_prefix(set)?.strip_prefix('-')?;
        let canonical = number == "0" || (!number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit()));
        let ordinal = number.parse::<u32>().ok().filter(|_| canonical)?;
        Some(Pod { ordinal: i64::from(ordinal), object })
    }

    pub(super) fn terminating(&self) -> bool {
        deleting(self.object)
    }

    /// Whether it ended, well or not (STS-5).
    pub(super) fn over(&self) -> bool {
        matches!(self.object.object("status").text("phase"), "Failed" | "Succeeded")
    }

    pub(super) fn ready(&self) -> bool {
        self.object.object("status").text("phase") == "Running" && self.ready_since().is_some()
    }

    /// When it became ready, in milliseconds; `None` if it is not.
    fn ready_since(&self) -> Option<u64> {
        let conditions = self.object.object("status").list("conditions").iter();
        let ready = conditions.clone().find(|c| c.text("type") == "Ready" && c.text("status") == "True")?;
        Some(time::read(ready.text("lastTransitionTime")).map_or(0, |at| at.0))
    }

    /// When it will have been ready for long enough, if it is ready.
    pub(super) fn available_at(&self, set: &Set<'_>) -> Option<u64> {
        self.ready_since().filter(|_| self.ready()).map(|since| since.saturating_add(set.min_ready_ms))
    }

    pub(super) fn available(&self, set: &Set<'_>) -> bool {
        self.ready() && (set.min_ready_ms == 0 || self.available_at(set).is_some_and(|at| at <= set.now_ms))
    }

    pub(super) fn healthy(&self, set: &Set<'_>) -> bool {
        self.available(set) && !self.terminating()
    }

    pub(super) fn revision(&self) -> &'a str {
        self.object.object("metadata").object("labels").text(REVISION_LABEL)
    }

    pub(super) fn delete(&self, set: &Set<'_>) -> Act {
        let pod = name(self.object);
        let told = set.told("delete", "SuccessfulDelete", "FailedDelete", pod);
        let (key, uid) = (set.pod_key(pod), uid(self.object).to_owned());
        Act::Delete { key, uid, policy: Policy::Background, told: Some(told) }
    }

    /// Brings back the labels that name it, if somebody took them away.
    pub(super) fn identity(&self, set: &Set<'_>) -> Option<Act> {
        let labels = self.object.object("metadata").object("labels");
        let wanted = identity_labels(set, self.ordinal);
        let same = wanted.iter().all(|(key, value)| labels.get_some(key) == Some(value));
        let patch = json!({ "metadata": { "labels": wanted } });
        (!same).then(|| Act::Patch { key: set.pod_key(name(self.object)), patch })
    }
}

fn identity_labels(set: &Set<'_>, ordinal: i64) -> Map<String, Value> {
    let name = set.pod_name(ordinal);
    Map::from_iter([(NAME_LABEL.to_owned(), json!(name)), (INDEX_LABEL.to_owned(), json!(ordinal.to_string()))])
}

/// Makes the pod of this number from a revision of the template.
pub(super) fn create(set: &Set<'_>, ordinal: i64, revision: &Revision) -> Act {
    let name = set.pod_name(ordinal);
    let mut pod = revision.template.clone();
    pod.fill("metadata", Map::new());
    pod.fill("spec", Map::new());
    if let Some(metadata) = pod.inside("metadata") {
        metadata.fill("labels", Map::new());
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.extend(identity_labels(set, ordinal));
            labels.insert(REVISION_LABEL.to_owned(), json!(revision.name));
        }
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.remove("creationTimestamp");
            metadata.insert("name".to_owned(), json!(name));
            metadata.insert("namespace".to_owned(), json!(set.key.namespace));
            metadata.insert("ownerReferences".to_owned(), json!([set.owner()]));
        }
    }
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("hostname".to_owned(), json!(name));
        if let Some(service) = set.spec.text_some("serviceName") {
            spec.insert("subdomain".to_owned(), json!(service));
        }
        storage::mount(set, ordinal, spec);
    }
    if let Some(fields) = pod.as_object_mut() {
        fields.insert("apiVersion".to_owned(), json!("v1"));
        fields.insert("kind".to_owned(), json!("Pod"));
    }
    let told = set.told("create", "SuccessfulCreate", "FailedCreate", &name);
    Act::Create { resource: resources::PODS, object: pod, told: Some(told) }
}
