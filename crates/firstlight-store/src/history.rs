//! What happened recently: a ring of changes, bounded by count and by bytes, that every watcher reads.
//!
//! A watcher holds a position, never a queue: one that is too slow finds the ring moved on and gets `Expired`,
//! and costs no memory meanwhile (E8).

use crate::object::{Change, Revision};
use firstlight_api::object::Resource;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The history asked for is no longer kept: list again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too old resource version: {} ({})", asked.0, oldest.0)]
pub struct Expired {
    /// What was asked for.
    pub asked: Revision,
    /// The oldest revision a watch may start from.
    pub oldest: Revision,
}

/// What a change costs beside its text: its own fields and the parsed object's frame.
const CHANGE_COST: usize = 512;

/// The recent changes.
#[derive(Debug)]
pub(crate) struct History {
    /// A lock because the writer appends while many watchers read; each holds it for microseconds and none across
    /// an await.
    ring: Mutex<Ring>,
}

#[derive(Debug)]
struct Ring {
    changes: VecDeque<Change>,
    bytes: usize,
    max_changes: usize,
    max_bytes: usize,
    /// Changes up to here are not kept.
    floor: Revision,
    /// The latest published revision.
    head: Revision,
    /// Rung when a resource changed.
    bells: BTreeMap<Resource, watch::Sender<()>>,
}

/// What a watcher wants to see.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) resource: Resource,
    pub(crate) namespace: Option<String>,
}

impl Filter {
    fn admits(&self, change: &Change) -> bool {
        let key = &change.object.key;
        key.resource == self.resource && self.namespace.as_ref().is_none_or(|namespace| key.namespace == *namespace)
    }
}

impl History {
    /// An empty history that begins at `floor`.
    pub(crate) fn new(floor: Revision, max_changes: usize, max_bytes: usize) -> History {
        let (changes, bells) = (VecDeque::new(), BTreeMap::new());
        History { ring: Mutex::new(Ring { changes, bytes: 0, max_changes, max_bytes, floor, head: floor, bells }) }
    }

    /// Adds a batch of changes and wakes who waits for them.
    pub(crate) fn publish(&self, changes: Vec<Change>) {
        let mut ring = self.ring();
        let mut rung: Vec<Resource> = Vec::new();
        for change in changes {
            let resource = change.object.key.resource;
            if !rung.contains(&resource) {
                rung.push(resource);
            }
            ring.push(change);
        }
        for bell in rung.iter().filter_map(|resource| ring.bells.get(resource)) {
            bell.send_replace(());
        }
    }

    /// Rings whenever the resource changes.
    pub(crate) fn bell(&self, resource: Resource) -> watch::Receiver<()> {
        self.ring().bells.entry(resource).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    /// Up to `limit` changes after `position` that the filter admits, and the position they lead to.
    pub(crate) fn after(
        &self,
        position: Revision,
        filter: &Filter,
        limit: usize,
    ) -> Result<(Vec<Change>, Revision), Expired> {
        let ring = self.ring();
        if position < ring.floor {
            return Err(Expired { asked: position, oldest: ring.floor });
        }
        let found: Vec<Change> =
            ring.from(position).filter(|change| filter.admits(change)).take(limit).cloned().collect();
        let reached = match found.last() {
            Some(last) if found.len() == limit => last.revision,
            Some(_) | None => position.max(ring.head),
        };
        Ok((found, reached))
    }

    /// Whether history after `position` is kept.
    pub(crate) fn check(&self, position: Revision) -> Result<(), Expired> {
        let floor = self.ring().floor;
        if position < floor { Err(Expired { asked: position, oldest: floor }) } else { Ok(()) }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, change: Change) {
        self.head = change.revision;
        self.bytes += cost(&change);
        self.changes.push_back(change);
        while self.changes.len() > self.max_changes || self.bytes > self.max_bytes {
            let Some(dropped) = self.changes.pop_front() else { break };
            self.bytes -= cost(&dropped);
            self.floor = dropped.revision;
        }
    }

    fn from(&self, position: Revision) -> impl Iterator<Item = &Change> {
        let start = self.changes.partition_point(|change| change.revision <= position);
        self.changes.range(start..)
    }
}

fn cost(change: &Change) -> usize {
    change.object.bytes.len() + CHANGE_COST
}
