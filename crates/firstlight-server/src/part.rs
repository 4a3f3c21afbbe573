//! Which part of an object a write changes: all but its status, its status, its scale, a namespace's finalizers.
//!
//! A client reads a part, sends it back changed, and the rest stays as it was.

use crate::metadata;
use firstlight_api::object::{at, resources};
use firstlight_api::schema::Kind;
use firstlight_api::select::Labels;
use serde_json::{Value, json};

/// A part of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The object; its status is kept by whoever writes it ([`firstlight_api::admit::update`]).
    Whole,
    /// `/status`
    Status,
    /// `/scale`: an `autoscaling/v1` Scale.
    Scale,
    /// `/ephemeralcontainers` of a pod: `spec.ephemeralContainers`.
    Ephemeral,
    /// `/finalize` of a namespace: `spec.finalizers`.
    Finalize,
}

impl Part {
    /// The part that a subresource's name stands for.
    pub(crate) fn named(subresource: &str) -> Option<Part> {
        match subresource {
            "status" => Some(Part::Status),
            "scale" => Some(Part::Scale),
            "ephemeralcontainers" => Some(Part::Ephemeral),
            "finalize" => Some(Part::Finalize),
            _ => None,
        }
    }

    /// The object as a client of this part sees it.
    pub(crate) fn view(self, object: &Value) -> Value {
        match self {
            Part::Whole | Part::Status | Part::Ephemeral | Part::Finalize => object.clone(),
            Part::Scale => scale(object),
        }
    }

    /// What a client of this part sent, put into the object as it was.
    pub(crate) fn merge(self, kind: &Kind, old: &Value, sent: Value) -> Value {
        match self {
            Part::Whole => sent,
            Part::Status => status(kind, old, sent),
            Part::Scale => scaled(old, &sent),
            Part::Ephemeral => with_ephemerals(old, &sent),
            Part::Finalize => finalized(old, &sent),
        }
    }
}

/// Everything but status and metadata stays; a pod's owners too (`pkg/registry/core/pod/strategy.go`).
fn status(kind: &Kind, old: &Value, mut sent: Value) -> Value {
    let mut next = old.clone();
    let owners = at(old, &["metadata", "ownerReferences"]).cloned();
    let sent_metadata = metadata::of(&mut sent);
    if kind.resource == resources::PODS {
        match owners {
            Some(owners) => sent_metadata.insert("ownerReferences".to_owned(), owners),
            None => sent_metadata.remove("ownerReferences"),
        };
    }
    if let (Some(next), Some(sent)) = (next.as_object_mut(), sent.as_object_mut()) {
        for field in ["metadata", "status"] {
            match sent.remove(field) {
                Some(value) => next.insert(field.to_owned(), value),
                None => next.remove(field),
            };
        }
    }
    next
}

fn scale(object: &Value) -> Value {
    let mut scaled = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {},
        "spec": {"replicas": at(object, &["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(0)},
        "status": {"replicas": at(object, &["status", "replicas"]).and_then(Value::as_i64).unwrap_or(0)},
    });
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = at(object, &["metadata", field]) {
            scaled["metadata"][field] = value.clone();
        }
    }
    if let Some(Ok(selector)) = at(object, &["spec", "selector"]).map(Labels::structured) {
        scaled["status"]["selector"] = selector.to_string().into();
    }
    scaled
}

fn scaled(old: &Value, sent: &Value) -> Value {
    let mut next = old.clone();
    next["spec"]["replicas"] = at(sent, &["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(0).into();
    next
}

fn with_ephemerals(old: &Value, sent: &Value) -> Value {
    let mut next = old.clone();
    if let Some(spec) = next.get_mut("spec").and_then(Value::as_object_mut) {
        match at(sent, &["spec", "ephemeralContainers"]) {
            Some(containers) => spec.insert("ephemeralContainers".to_owned(), containers.clone()),
            None => spec.remove("ephemeralContainers"),
        };
    }
    next
}

fn finalized(old: &Value, sent: &Value) -> Value {
    let mut next = old.clone();
    match at(sent, &["spec", "finalizers"]) {
        Some(finalizers) => next["spec"]["finalizers"] = finalizers.clone(),
        None => {
            if let Some(spec) = next.get_mut("spec").and_then(Value::as_object_mut) {
                spec.remove("finalizers");
            }
        }
    }
    next
}
