//! What the API holds, as far as it has been told: the one thing that every decision here is made from.
//!
//! One owner (the loop in `shell`) folds changes in; the desks only look. Objects are JSON values, so that fields
//! unknown to this version survive in everything that is made from them.

use firstlight_api::object::{Key, Resource, resources};
use firstlight_api::view::View;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The resources that are watched: all that are served but events, which nothing here is decided from.
pub const WATCHED: [Resource; 12] = [
    resources::NAMESPACES,
    resources::NODES,
    resources::PODS,
    resources::CONFIGMAPS,
    resources::SECRETS,
    resources::SERVICES,
    resources::SERVICEACCOUNTS,
    resources::PERSISTENTVOLUMECLAIMS,
    resources::ENDPOINTSLICES,
    resources::LEASES,
    resources::STATEFULSETS,
    resources::CONTROLLERREVISIONS,
];

/// All watched objects, by key, with an index from owners to what they own.
#[derive(Debug, Default)]
pub struct World {
    objects: BTreeMap<Key, Value>,
    keys: BTreeMap<String, Key>,
    owned: BTreeMap<String, BTreeSet<Key>>,
}

/// Something the API told.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The object is now this.
    Put(Key, Value),
    /// The object is gone.
    Gone(Key),
}

impl World {
    /// Takes a change in and answers what was there before; `None` if the change was older than what is known.
    ///
    /// An answer to our own write and the watch's word for it may come in either order: the newer one stays.
    pub fn fold(&mut self, change: Change) -> Option<Folded> {
        match change {
            Change::Put(key, value) => {
                if self.get(&key).is_some_and(|known| uid(known) == uid(&value) && version(known) >= version(&value)) {
                    return None;
                }
                let before = self.remove(&key);
                self.keys.insert(uid(&value).to_owned(), key.clone());
                for owner in owners(&value) {
                    self.owned.entry(owner.text("uid").to_owned()).or_default().insert(key.clone());
                }
                self.objects.insert(key.clone(), value);
                Some(Folded { key, before })
            }
            Change::Gone(key) => {
                let before = self.remove(&key)?;
                Some(Folded { key, before: Some(before) })
            }
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Value> {
        let old = self.objects.remove(key)?;
        self.keys.remove(uid(&old));
        for owner in owners(&old) {
            if let Some(owned) = self.owned.get_mut(owner.text("uid")) {
                owned.remove(key);
                if owned.is_empty() {
                    self.owned.remove(owner.text("uid"));
                }
            }
        }
        Some(old)
    }

    /// The object of this key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    /// The object of this UID and its key.
    #[must_use]
    pub fn by_uid(&self, uid: &str) -> Option<(&Key, &Value)> {
        let key = self.keys.get(uid)?;
        self.objects.get(key).map(|value| (key, value))
    }

    /// All objects of a resource in a namespace (empty for cluster-scoped ones), in the order of their names.
    pub fn list(&self, resource: Resource, namespace: &str) -> impl Iterator<Item = &Value> {
        let from = Key::new(resource, namespace, "");
        self.objects
            .range(from.clone()..)
            .take_while(move |(key, _)| key.resource == from.resource && key.namespace == from.namespace)
            .map(|(_, value)| value)
    }

    /// Keys of all objects of a resource.
    pub fn keys(&self, resource: Resource) -> impl Iterator<Item = &Key> {
        let from = Key::new(resource, "", "");
        self.objects.range(from..).take_while(move |(key, _)| key.resource == resource).map(|(key, _)| key)
    }

    /// What names this UID among its owners.
    pub fn dependents(&self, uid: &str) -> impl Iterator<Item = (&Key, &Value)> {
        let keys = self.owned.get(uid).into_iter().flatten();
        keys.filter_map(|key| self.objects.get(key).map(|value| (key, value)))
    }
}

/// A change that was taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// Of which object.
    pub key: Key,
    /// What it was, if it was there.
    pub before: Option<Value>,
}

/// `metadata.uid`
#[must_use]
pub fn uid(object: &Value) -> &str {
    object.object("metadata").text("uid")
}

/// `metadata.name`
#[must_use]
pub fn name(object: &Value) -> &str {
    object.object("metadata").text("name")
}

/// Whether deletion was asked for.
#[must_use]
pub fn deleting(object: &Value) -> bool {
    object.object("metadata").get_some("deletionTimestamp").is_some()
}

/// `metadata.ownerReferences`
#[must_use]
pub fn owners(object: &Value) -> &[Value] {
    object.object("metadata").list("ownerReferences")
}

/// The owner that manages the object.
#[must_use]
pub fn controller(object: &Value) -> Option<&Value> {
    owners(object).iter().find(|owner| owner.flag("controller"))
}

/// Resource versions are numbers that grow, within one cluster (promised since Kubernetes 1.35, true before).
fn version(object: &Value) -> u64 {
    object.object("metadata").text("resourceVersion").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests;
