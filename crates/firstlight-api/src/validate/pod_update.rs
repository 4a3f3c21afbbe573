//! What of a Pod may change (VAL-12, VAL-13, VAL-14).

use crate::refuse::Refusals;
use crate::view::View;
use serde_json::{Value, json};

/// The words of VAL-13, before the list of what changed.
const UNCHANGEABLE: &str = "pod updates may not change fields other than \
     `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only \
     additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
     previously negative)";

pub(super) fn check(old: &Value, new: &Value, refused: &mut Refusals) {
    let (was, is) = (old.object("spec"), new.object("spec"));
    let mut counts_differ = false;
    for list in ["containers", "initContainers"] {
        if was.list(list).len() != is.list(list).len() {
            refused.forbidden(&format!("spec.{list}"), "pod updates may not add or remove containers");
            counts_differ = true;
        }
    }
    deadline(was, is, refused);
    tolerations(was, is, refused);
    gates(was, is, refused);
    if counts_differ {
        return;
    }
    let mut changes = Vec::new();
    differences("spec", &comparable(was, is), is, &mut changes);
    if !changes.is_empty() {
        refused.forbidden("spec", &format!("{UNCHANGEABLE}\n{}", changes.join("\n")));
    }
}

/// VAL-12.
fn deadline(was: &Value, is: &Value, refused: &mut Refusals) {
    let at = "spec.activeDeadlineSeconds";
    match (was.int("activeDeadlineSeconds"), is.int("activeDeadlineSeconds")) {
        (Some(old), Some(new)) if new > old => {
            refused.invalid(at, new, "must be less than or equal to previous value");
        }
        (Some(_), None) => {
            refused.invalid(at, Value::Null, "must not update from a positive integer to nil value");
        }
        (Some(_), Some(_)) | (None, Some(_) | None) => {}
    }
}

fn tolerations(was: &Value, is: &Value, refused: &mut Refusals) {
    let without_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        if let Some(map) = toleration.as_object_mut() {
            map.remove("tolerationSeconds");
        }
        toleration
    };
    let new: Vec<Value> = is.list("tolerations").iter().map(without_seconds).collect();
    if !was.list("tolerations").iter().all(|old| new.contains(&without_seconds(old))) {
        let words = "existing toleration can not be modified except its tolerationSeconds";
        refused.forbidden("spec.tolerations", words);
    }
}

fn gates(was: &Value, is: &Value, refused: &mut Refusals) {
    let old: Vec<&str> = was.list("schedulingGates").iter().map(|gate| gate.text("name")).collect();
    for new in is.list("schedulingGates").iter().map(|gate| gate.text("name")).filter(|new| !old.contains(new)) {
        let words = format!("only deletion is allowed, but found new scheduling gate '{new}'");
        refused.forbidden("spec.schedulingGates", &words);
    }
}

/// The old spec with everything taken from the new one that may change.
fn comparable(was: &Value, is: &Value) -> Value {
    let mut spec = was.clone();
    let Some(map) = spec.as_object_mut() else { return spec };
    for key in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        match is.get(key) {
            Some(value) => map.insert(key.to_owned(), value.clone()),
            None => map.remove(key),
        };
    }
    let grace = "terminationGracePeriodSeconds";
    if was.int(grace).is_some_and(|old| old < 0) && is.int(grace) == Some(1) {
        map.insert(grace.to_owned(), json!(1));
    }
    for list in ["containers", "initContainers"] {
        let containers = map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for (container, new) in containers.zip(is.list(list)) {
            if let (Some(container), Some(image)) = (container.as_object_mut(), new.get("image")) {
                container.insert("image".to_owned(), image.clone());
            }
        }
    }
    spec
}

/// One line for each place where the two differ.
fn differences(path: &str, was: &Value, is: &Value, changes: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                differences(&format!("{path}.{key}"), was.object(key), is.object(key), changes);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (i, (old, new)) in old.iter().zip(new).enumerate() {
                differences(&format!("{path}[{i}]"), old, new, changes);
            }
        }
        _ if was == is => {}
        _ => changes.push(format!("  {path}: {was} -> {is}")),
    }
}
