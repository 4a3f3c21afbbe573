//! What is kept: an immutable object at a revision, and what changed about it.

use bytes::Bytes;
use firstlight_api::object::Key;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A point in the history of the whole store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// A stored object, immutable. `metadata.resourceVersion` inside `value` equals `revision`.
#[derive(Debug)]
pub struct Object {
    /// Where it is kept.
    pub key: Key,
    /// When it was last written.
    pub revision: Revision,
    /// The object.
    pub value: Value,
    /// The object as JSON text, made once.
    pub bytes: Bytes,
}

impl Object {
    /// The object with `revision` stamped into its metadata.
    pub(crate) fn stamped(key: Key, revision: Revision, mut value: Value) -> Object {
        stamp(&mut value, revision);
        let bytes = Bytes::from(value.to_string());
        Object { key, revision, value, bytes }
    }
}

/// Writes `metadata.resourceVersion`. What is no JSON object has no metadata and stays as it is.
fn stamp(value: &mut Value, revision: Revision) {
    let Value::Object(object) = value else { return };
    let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(metadata) = metadata {
        metadata.insert("resourceVersion".to_owned(), Value::String(revision.0.to_string()));
    }
}

/// A change as watchers see it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The revision this change made.
    pub revision: Revision,
    /// The object after it; for a deletion its last content, stamped with the deletion's revision.
    pub object: Arc<Object>,
    /// The object before it, if there was one: selectors need it.
    pub before: Option<Arc<Object>>,
    /// Whether the object is gone.
    pub deleted: bool,
}

/// A consistent list: the items as of `revision`.
#[derive(Debug, Clone)]
pub struct List {
    /// The revision these items were read at.
    pub revision: Revision,
    /// In key order.
    pub items: Vec<Arc<Object>>,
}
