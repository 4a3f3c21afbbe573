//! What is there, as of one revision. Immutable and cheap to keep: snapshots share everything that did not change.

use crate::object::{List, Object, Revision};
use firstlight_api::object::{Key, Resource};
use rpds::RedBlackTreeMapSync;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// All objects as of one revision.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(crate) revision: Revision,
    resources: BTreeMap<Resource, RedBlackTreeMapSync<Key, Entry>>,
}

/// An object and where the log keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its row in the log: the revision that created it, so never used twice.
    pub(crate) row: i64,
    /// Its row's checksum.
    pub(crate) sum: u32,
    pub(crate) object: Arc<Object>,
}

impl Snapshot {
    /// The revision this is the state of.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The object of this key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.entry(key).map(|entry| &entry.object)
    }

    /// All objects of a resource, in one namespace or in all, in key order.
    #[must_use]
    pub fn list(&self, resource: Resource, namespace: Option<&str>) -> List {
        List { revision: self.revision, items: self.after(resource, namespace, None).cloned().collect() }
    }

    /// The objects of a resource in one namespace or in all, in key order, beginning after a key: how a list is
    /// read in pages.
    pub fn after<'a>(
        &'a self,
        resource: Resource,
        namespace: Option<&'a str>,
        key: Option<&Key>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        let first = Key::new(resource, namespace.unwrap_or(""), "");
        let start = match key {
            Some(key) if *key >= first => Bound::Excluded(key.clone()),
            Some(_) | None => Bound::Included(first),
        };
        self.resources
            .get(&resource)
            .into_iter()
            .flat_map(move |objects| objects.range((start.clone(), Bound::Unbounded)))
            .take_while(move |(key, _)| namespace.is_none_or(|namespace| key.namespace == namespace))
            .map(|(_, entry)| &entry.object)
    }

    pub(crate) fn entry(&self, key: &Key) -> Option<&Entry> {
        self.resources.get(&key.resource)?.get(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.resources.values().flat_map(|objects| objects.values())
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        let key = entry.object.key.clone();
        self.resources.entry(key.resource).or_insert_with(RedBlackTreeMapSync::new_sync).insert_mut(key, entry);
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        if let Some(objects) = self.resources.get_mut(&key.resource) {
            objects.remove_mut(key);
        }
    }
}
