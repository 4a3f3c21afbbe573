//! What the API keeps in an object's metadata: who it is, since when, and that it is going away.
//!
//! Source: `k8s.io/apiserver/pkg/registry/rest/{create,update,meta}.go`.

use crate::ids;
use firstlight_api::object::{at, text};
use firstlight_api::status_error::FieldError;
use firstlight_api::time;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// An instant as the API writes it.
pub(crate) fn instant(at: Timestamp) -> String {
    time::write(time::Now(u64::try_from(at.as_millisecond()).unwrap_or(0)))
}

/// The metadata, made if it is not there.
pub(crate) fn of(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = json!({});
    }
    let metadata = &mut object["metadata"];
    if !metadata.is_object() {
        *metadata = json!({});
    }
    metadata.as_object_mut().expect("it was just made an object")
}

/// What a new object gets, whatever the client said. Who set its fields is [`crate::ownership`]'s.
pub(crate) fn create(object: &mut Value, namespace: &str, now: Timestamp) {
    let metadata = of(object);
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
        metadata.remove(field);
    }
    if namespace.is_empty() {
        metadata.remove("namespace");
    } else {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    metadata.insert("uid".to_owned(), ids::uid().into());
    metadata.insert("creationTimestamp".to_owned(), instant(now).into());
}

/// What an object keeps when it is replaced and the client left it out. Whether what the client did say may be said
/// is for validation, but for the generation, which is the API's alone.
pub(crate) fn update(old: &Value, new: &mut Value) {
    let metadata = of(new);
    metadata.remove("selfLink");
    let before = |field: &str| at(old, &["metadata", field]).cloned();
    for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if let (None, Some(value)) = (metadata.get(field), before(field)) {
            metadata.insert(field.to_owned(), value);
        }
    }
    match before("generation") {
        Some(generation) => metadata.insert("generation".to_owned(), generation),
        None => metadata.remove("generation"),
    };
}

/// An object on its way out gets no new finalizers.
pub(crate) fn late_finalizers(old: &Value, new: &Value) -> Option<FieldError> {
    if !is_deleting(old) {
        return None;
    }
    let (before, after) = (finalizers(old), finalizers(new));
    let added: Vec<&str> = after.iter().copied().filter(|finalizer| !before.contains(finalizer)).collect();
    let words = "no new finalizers can be added if the object is being deleted, found new finalizers";
    (!added.is_empty()).then(|| FieldError::forbidden("metadata.finalizers", format!("{words} {added:?}")))
}

/// Whether its deletion was asked for.
pub(crate) fn is_deleting(object: &Value) -> bool {
    !text(object, &["metadata", "deletionTimestamp"]).is_empty()
}

/// Who must agree before it goes.
pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let list = at(object, &["metadata", "finalizers"]).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The seconds it was given to go.
pub(crate) fn grace(object: &Value) -> Option<i64> {
    at(object, &["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64)
}
