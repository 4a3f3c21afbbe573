//! The configuration that is applied: whether it fits, and what an earlier `kubectl apply` says of it.

use super::compare::{Changes, fields_of};
use super::field_set::{FieldSet, readable};
use super::holds::{Holds, element_keys};
use super::managers::{self, Manager};
use crate::fields::{type_errors, unknown};
use crate::object::{at, text};
use crate::schema::{Kind, Of, Shape, Type};
use crate::status_error::StatusError;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What client-side `kubectl apply` leaves behind: the configuration it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether a configuration can be applied to a kind.
///
/// # Errors
/// 400 with the field's path.
pub(super) fn check(kind: &Kind, config: &Value) -> Result<(), StatusError> {
    let version = text(config, &["apiVersion"]);
    if version != kind.api_version() || text(config, &["kind"]) != kind.kind {
        return Err(StatusError::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, expected: {}",
            kind.api_version()
        )));
    }
    if at(config, &["metadata", "managedFields"]).is_some_and(|fields| !fields.is_null()) {
        return Err(StatusError::bad_request("metadata.managedFields must be nil"));
    }
    type_errors(kind.ty, config)?;
    let refuse = |why: String| {
        StatusError::bad_request(format!("failed to create typed patch object ({}): {why}", describe(kind, config)))
    };
    if let Some(path) = unknown(kind.ty, config).first() {
        return Err(refuse(format!(".{path}: field not declared in schema")));
    }
    elements(Holds::of_type(kind.ty), config, "").map_err(refuse)
}

/// `namespace/name; v1, Kind=Pod`
fn describe(kind: &Kind, config: &Value) -> String {
    let (namespace, name) = (text(config, &["metadata", "namespace"]), text(config, &["metadata", "name"]));
    format!("{namespace}/{name}; {}, Kind={}", kind.api_version(), kind.kind)
}

/// Whether every element of an owned list can be told from the others.
fn elements(holds: Holds, value: &Value, path: &str) -> Result<(), String> {
    if let Some(map) = holds.object(Some(value)) {
        return map.iter().try_for_each(|(key, value)| elements(holds.at(key), value, &format!("{path}.{key}")));
    }
    let mut seen = BTreeSet::new();
    for (index, element) in holds.list(Some(value)).into_iter().flatten().enumerate() {
        if let Holds::Keyed(ty, keys) = holds
            && element_keys(ty, keys, element).is_empty()
        {
            return Err(format!(
                "{path}: element {index}: associative list with keys has an element that omits all key fields {keys:?}"
            ));
        }
        let step = holds.element_step(element);
        let place = readable(&step);
        if !seen.insert(step) {
            return Err(format!("{path}: duplicate entries for key {place}"));
        }
        elements(holds.element(), element, &format!("{path}{place}"))?;
    }
    Ok(())
}

/// Drops the conflicts about fields that client-side `kubectl apply` set and nobody changed since: with
/// `kubectl apply --server-side` the same person takes them over.
pub(super) fn drop_own_conflicts(kind: &Kind, live: &Value, conflicts: &mut Vec<(Manager, FieldSet)>) {
    let Some(earlier) = last_applied(live) else { return };
    if text(&earlier, &["apiVersion"]) != kind.api_version() {
        return;
    }
    let earlier = managers::without(&earlier);
    let holds = Holds::of_type(kind.ty);
    // Where elements cannot be told apart, nothing can be said of who set them.
    if [&earlier, live].iter().any(|object| elements(holds, object, "").is_err()) {
        return;
    }
    let changes = Changes::between(holds, &earlier, live);
    let untouched = fields_of(holds, &earlier).difference(&changes.written).difference(&changes.removed);
    for (_, set) in conflicts.iter_mut() {
        *set = std::mem::take(set).difference(&untouched);
    }
    conflicts.retain(|(_, set)| !set.is_empty());
}

fn last_applied(live: &Value) -> Option<Value> {
    let annotation = at(live, &["metadata", "annotations", LAST_APPLIED])?.as_str()?;
    serde_json::from_str(annotation).ok()
}

/// Keeps the annotation of client-side apply true, where there is one.
pub(super) fn renew_last_applied(merged: &mut Value, config: &Value) {
    if last_applied(merged).is_none() {
        return;
    }
    let mut config = config.clone();
    if let Some(annotations) = config.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    if let Some(annotations) = merged.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.insert(LAST_APPLIED.to_owned(), format!("{config}\n").into());
    }
}

/// What an object is before anybody set anything: the zero of Kubernetes' struct. A new object is compared with it,
/// which is why nobody owns `spec` itself.
pub(super) fn zero(ty: &Type) -> Value {
    let mut object = Map::new();
    zero_fields(ty, &mut object);
    Value::Object(object)
}

fn zero_fields(ty: &Type, object: &mut Map<String, Value>) {
    for field in ty.fields {
        match field.shape {
            Shape::One(Of::Message(embedded)) if field.name.is_empty() => zero_fields(embedded, object),
            Shape::One(Of::Message(inner)) if !field.pointer => {
                object.insert(field.name.to_owned(), zero(inner));
            }
            _ if field.omitempty => {}
            Shape::One(of) if !field.pointer => {
                object.insert(field.name.to_owned(), zero_value(of));
            }
            Shape::One(_) | Shape::List(_) | Shape::Map(_) => {
                object.insert(field.name.to_owned(), Value::Null);
            }
        }
    }
}

fn zero_value(of: Of) -> Value {
    match of {
        Of::Str => "".into(),
        Of::Bool => false.into(),
        Of::Int32 | Of::Int64 | Of::IntOrString => 0.into(),
        Of::Quantity => "0".into(),
        Of::Bytes | Of::Time | Of::MicroTime | Of::Raw | Of::FieldsV1 | Of::Strings => Value::Null,
        Of::Message(ty) => json!(zero(ty)),
    }
}
