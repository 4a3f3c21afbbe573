//! The Table that `kubectl get` shows.
//!
//! The server answers with this when a client accepts `as=Table`. Columns, their order and their words are those of
//! upstream's `pkg/printers/internalversion/printers.go`; every cell is made, and clients hide those of priority 1
//! unless asked for `-o wide`.
//!
//! | file | what it prints |
//! | --- | --- |
//! | `print/age.rs` | how long ago, as kubectl says it |
//! | `print/pod.rs` | the Pod's row: READY, STATUS, RESTARTS (PRT) |
//! | `print/kinds.rs` | the rows of the other kinds |

mod age;
mod kinds;
mod pod;

use crate::object::resources;
use crate::schema::Kind;
use crate::view::View;
use firstlight_pod::Now;
use serde_json::{Value, json};

pub use age::{ago, human};

/// What of each object comes with its row (`?includeObject=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata, as a `PartialObjectMetadata`.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl IncludeObject {
    /// The value of the query parameter; absent means metadata.
    #[must_use]
    pub fn parse(text: &str) -> Option<IncludeObject> {
        match text {
            "None" => Some(IncludeObject::None),
            "" | "Metadata" => Some(IncludeObject::Metadata),
            "Object" => Some(IncludeObject::Object),
            _ => None,
        }
    }
}

/// A `meta.k8s.io/v1` Table of objects of one kind, as seen at `now_ms` (milliseconds since the Unix epoch).
///
/// With `headers` it carries the column definitions; events of a watch after the first leave them out. The caller puts
/// the list's own `metadata` in.
#[must_use]
pub fn table(kind: &Kind, items: &[&Value], now_ms: u64, include: IncludeObject, headers: bool) -> Value {
    let now = Now(now_ms);
    let columns = columns(kind);
    let rows: Vec<Value> = items.iter().map(|item| row(kind, item, now, include)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
        "columnDefinitions": if headers { columns.iter().map(definition).collect() } else { Value::Array(Vec::new()) },
        "rows": rows,
    })
}

/// A column: its name, type, and whether it is shown only on request.
struct Column {
    name: &'static str,
    kind: &'static str,
    wide: bool,
}

const fn narrow(name: &'static str) -> Column {
    Column { name, kind: "string", wide: false }
}

const fn wide(name: &'static str) -> Column {
    Column { name, kind: "string", wide: true }
}

const fn number(name: &'static str) -> Column {
    Column { name, kind: "integer", wide: false }
}

fn columns(kind: &Kind) -> &'static [Column] {
    match kind.resource {
        resources::PODS => pod::COLUMNS,
        resources::NAMESPACES => kinds::NAMESPACE,
        resources::NODES => kinds::NODE,
        resources::CONFIGMAPS => kinds::CONFIG_MAP,
        resources::SECRETS => kinds::SECRET,
        resources::PERSISTENTVOLUMECLAIMS => kinds::CLAIM,
        resources::SERVICES => kinds::SERVICE,
        resources::EVENTS => kinds::EVENT,
        resources::SERVICEACCOUNTS => kinds::SERVICE_ACCOUNT,
        resources::ENDPOINTSLICES => kinds::ENDPOINT_SLICE,
        resources::LEASES => kinds::LEASE,
        resources::STATEFULSETS => kinds::STATEFUL_SET,
        resources::CONTROLLERREVISIONS => kinds::CONTROLLER_REVISION,
        _ => kinds::OTHER,
    }
}

fn cells(kind: &Kind, object: &Value, now: Now) -> Vec<Value> {
    match kind.resource {
        resources::PODS => pod::cells(object, now),
        resources::NAMESPACES => kinds::namespace(object, now),
        resources::NODES => kinds::node(object, now),
        resources::CONFIGMAPS => kinds::config_map(object, now),
        resources::SECRETS => kinds::secret(object, now),
        resources::PERSISTENTVOLUMECLAIMS => kinds::claim(object, now),
        resources::SERVICES => kinds::service(object, now),
        resources::EVENTS => kinds::event(object, now),
        resources::SERVICEACCOUNTS => kinds::service_account(object, now),
        resources::ENDPOINTSLICES => kinds::endpoint_slice(object, now),
        resources::LEASES => kinds::lease(object, now),
        resources::STATEFULSETS => kinds::stateful_set(object, now),
        resources::CONTROLLERREVISIONS => kinds::controller_revision(object, now),
        _ => kinds::other(object),
    }
}

fn definition(column: &Column) -> Value {
    // Clients recognise the object's name by this format.
    let format = if column.name == "Name" { "name" } else { "" };
    let priority = i32::from(column.wide);
    json!({ "name": column.name, "type": column.kind, "format": format, "description": "", "priority": priority })
}

fn row(kind: &Kind, object: &Value, now: Now, include: IncludeObject) -> Value {
    let mut row = json!({ "cells": cells(kind, object, now) });
    let attached = match include {
        IncludeObject::None => None,
        IncludeObject::Metadata => Some(json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.object("metadata"),
        })),
        IncludeObject::Object => Some((*object).clone()),
    };
    let conditions = if kind.resource == resources::PODS { pod::row_conditions(object) } else { None };
    if let Some(row) = row.as_object_mut() {
        row.extend(attached.map(|object| ("object".to_owned(), object)));
        row.extend(conditions.map(|conditions| ("conditions".to_owned(), conditions)));
    }
    row
}

/// The object's name, which every row begins with.
fn name(object: &Value) -> Value {
    json!(object.object("metadata").text("name"))
}

/// How old the object is.
fn age(object: &Value, now: Now) -> Value {
    json!(ago(object.object("metadata").text("creationTimestamp"), now))
}
