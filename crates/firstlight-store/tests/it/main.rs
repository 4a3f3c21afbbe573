//! The store as its users meet it: against a model, killed, damaged, starved of disk, watched.

#![expect(clippy::unwrap_used, reason = "a panic in test code is the failure")]

mod child;
mod damage;
mod disk;
mod kill;
mod locking;
mod model;
mod watching;

use firstlight_api::object::{Key, resources};
use firstlight_store::{Expect, Object, Refused, Revision, Store, Write};
use serde_json::{Value, json};
use std::sync::Arc;

/// A pod's key.
fn pod(name: &str) -> Key {
    Key::new(resources::PODS, "default", name)
}

/// Something to keep.
fn content(mark: u64) -> Value {
    json!({"kind": "Pod", "metadata": {"name": "p"}, "mark": mark})
}

/// What `content` was made with.
fn mark(object: &Object) -> u64 {
    object.value["mark"].as_u64().unwrap()
}

async fn create(store: &Store, key: Key, mark: u64) -> Result<Arc<Object>, Refused> {
    store.commit(Write { key, expect: Expect::Absent, value: Some(content(mark)) }).await
}

async fn update(store: &Store, key: Key, at: Revision, mark: u64) -> Result<Arc<Object>, Refused> {
    store.commit(Write { key, expect: Expect::At(at), value: Some(content(mark)) }).await
}

async fn delete(store: &Store, key: Key, at: Revision) -> Result<Arc<Object>, Refused> {
    store.commit(Write { key, expect: Expect::At(at), value: None }).await
}
