//! `metadata.managedFields`: who set which fields, when, and how.

use super::field_set::FieldSet;
use crate::object::at;
use serde_json::{Map, Value, json};

/// How a manager came by its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    /// It applied a configuration: the fields are its intent.
    Apply,
    /// It wrote the object in another way.
    Update,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    pub(super) subresource: String,
    pub(super) time: Option<String>,
    pub(super) fields: FieldSet,
}

/// Update entries kept apart; more become one (`DefaultMaxUpdateManagers` of
/// `k8s.io/apimachinery/pkg/util/managedfields/internal`).
const MAX_UPDATE_MANAGERS: usize = 10;
/// Who the oldest updates are said to be by, when there are too many.
const ANCIENT: &str = "ancient-changes";

impl Manager {
    /// Whether two entries are the same manager's: an applier keeps its entry across versions.
    pub(super) fn is(&self, other: &Manager) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// How a conflict names it.
    pub(super) fn describe(&self) -> String {
        let mut text = crate::status_error::quoted(&self.name);
        if !self.subresource.is_empty() {
            text = format!("{text} with subresource {}", crate::status_error::quoted(&self.subresource));
        }
        match self.operation {
            Operation::Apply => text,
            Operation::Update => format!("{text} using {}", self.api_version),
        }
    }

    fn read(entry: &Value) -> Option<Manager> {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let operation = match text("operation").as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        let api_version = Some(text("apiVersion")).filter(|v| !v.is_empty())?;
        Some(text("fieldsType")).filter(|t| t == "FieldsV1")?;
        let fields = entry.get("fieldsV1").map_or_else(|| Some(FieldSet::default()), FieldSet::from_value)?;
        let time = Some(text("time")).filter(|t| !t.is_empty());
        Some(Manager { name: text("manager"), operation, api_version, subresource: text("subresource"), time, fields })
    }

    fn write(self) -> Value {
        let Manager { name, operation, api_version, subresource, time, fields } = self;
        let operation = match operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        let mut entry = json!({"manager": name, "operation": operation, "apiVersion": api_version,
            "fieldsType": "FieldsV1"});
        // Moved, where the macro would copy.
        entry["fieldsV1"] = fields.into_value();
        for (key, value) in [("time", time.unwrap_or_default()), ("subresource", subresource)] {
            if !value.is_empty() {
                entry[key] = value.into();
            }
        }
        entry
    }
}

/// The managers an object names: nothing if it names none, an error if an entry is malformed.
pub(super) fn read(object: &Value) -> Result<Vec<Manager>, ()> {
    let entries = at(object, &["metadata", "managedFields"]).and_then(Value::as_array);
    entries.into_iter().flatten().map(|entry| Manager::read(entry).ok_or(())).collect()
}

/// Whether an object asks to forget all managers: an empty list, or one empty entry.
pub(super) fn asks_to_forget(object: &Value) -> bool {
    match at(object, &["metadata", "managedFields"]).and_then(Value::as_array).map(Vec::as_slice) {
        Some([]) => true,
        Some([entry]) => entry.as_object().is_some_and(Map::is_empty),
        Some(_) | None => false,
    }
}

/// The object without its managers.
pub(super) fn without(object: &Value) -> Value {
    let mut object = object.clone();
    forget(&mut object);
    object
}

/// Takes the managers from an object.
pub(super) fn forget(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// Writes the managers into an object, in the order Kubernetes keeps: by operation, time and name.
pub(super) fn write(object: &mut Value, mut managers: Vec<Manager>) {
    managers.retain(|m| !m.fields.is_empty());
    let Some(object) = object.as_object_mut() else { return };
    let metadata = object.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else { return };
    managers.sort_by(|a, b| order(a).cmp(&order(b)));
    metadata.remove("managedFields");
    if !managers.is_empty() {
        metadata.insert("managedFields".to_owned(), managers.into_iter().map(Manager::write).collect());
    }
}

fn order(manager: &Manager) -> (Operation, &str, &str, &str, &str) {
    let Manager { name, operation, api_version, subresource, time, fields: _ } = manager;
    (*operation, time.as_deref().unwrap_or_default(), name, api_version, subresource)
}

/// Joins the oldest updates into one entry while there are too many.
pub(super) fn cap(managers: &mut Vec<Manager>) {
    managers.sort_by(|a, b| order(a).cmp(&order(b)));
    let is_update = |m: &Manager| m.operation == Operation::Update;
    let mut excess = managers.iter().filter(|m| is_update(m)).count().saturating_sub(MAX_UPDATE_MANAGERS);
    while excess > 0 {
        let Some(first) = managers.iter().position(is_update) else { return };
        let version = managers.get(first).map(|m| m.api_version.clone()).unwrap_or_default();
        let same = |(at, m): &(usize, &Manager)| *at > first && is_update(m) && m.api_version == version;
        let Some((second, _)) = managers.iter().enumerate().find(same) else { return };
        let newer = managers.remove(second);
        if let Some(bucket) = managers.get_mut(first) {
            let fields = std::mem::take(&mut bucket.fields).union(&newer.fields);
            *bucket = Manager {
                name: ANCIENT.to_owned(),
                subresource: String::new(),
                time: newer.time,
                fields,
                ..bucket.clone()
            };
        }
        excess -= 1;
    }
}
