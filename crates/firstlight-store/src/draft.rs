//! What a batch of writes makes of a snapshot: each write sees those before it. Nothing here is durable or visible.

use crate::log::{RowChange, Totals, checksum};
use crate::object::{Change, Object, Revision};
use crate::snapshot::{Entry, Snapshot};
use crate::write::{Expect, Refused, Write};
use std::sync::Arc;

/// The state a batch would leave, and what it would tell the log and the watchers.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) snapshot: Snapshot,
    pub(crate) totals: Totals,
    pub(crate) rows: Vec<RowChange>,
    pub(crate) changes: Vec<Change>,
}

impl Draft {
    /// Begins from the published state.
    pub(crate) fn of(snapshot: &Snapshot, totals: Totals) -> Draft {
        Draft { snapshot: snapshot.clone(), totals, rows: Vec::new(), changes: Vec::new() }
    }

    /// Makes one write, if it finds what it expects.
    pub(crate) fn apply(&mut self, write: Write) -> Result<Arc<Object>, Refused> {
        let Write { key, expect, value } = write;
        let before = self.snapshot.entry(&key).cloned();
        match (expect, &before) {
            (Expect::Absent, Some(entry)) => return Err(Refused::Exists(entry.object.clone())),
            (Expect::At(_), None) => return Err(Refused::Missing),
            (Expect::At(revision), Some(entry)) if entry.object.revision != revision => {
                return Err(Refused::Stale(entry.object.clone()));
            }
            (Expect::Absent, None) | (Expect::At(_), Some(_)) => {}
        }
        let revision = Revision(self.totals.revision.0 + 1);
        match (before, value) {
            (None, None) => Err(Refused::Missing),
            (before, Some(value)) => Ok(self.put(Object::stamped(key, revision, value), before)),
            (Some(before), None) => Ok(self.remove(revision, &before)),
        }
    }

    fn put(&mut self, object: Object, before: Option<Entry>) -> Arc<Object> {
        let revision = object.revision;
        let object = Arc::new(object);
        let sum = checksum(&object);
        let row = match &before {
            Some(entry) => entry.row,
            None => i64::try_from(revision.0).expect("revisions stay far below 2^63"),
        };
        self.totals.revision = revision;
        match &before {
            Some(entry) => {
                self.totals.sum = self.totals.sum.wrapping_sub(i64::from(entry.sum));
                self.rows.push(RowChange::Update { row, sum, object: object.clone() });
            }
            None => {
                self.totals.objects += 1;
                self.rows.push(RowChange::Insert { row, sum, object: object.clone() });
            }
        }
        self.totals.sum = self.totals.sum.wrapping_add(i64::from(sum));
        self.snapshot.revision = revision;
        self.snapshot.insert(Entry { row, sum, object: object.clone() });
        let before = before.map(|entry| entry.object);
        self.changes.push(Change { revision, object: object.clone(), before, deleted: false });
        object
    }

    fn remove(&mut self, revision: Revision, entry: &Entry) -> Arc<Object> {
        let before = &entry.object;
        let last = Arc::new(Object::stamped(before.key.clone(), revision, before.value.clone()));
        self.totals.revision = revision;
        self.totals.objects -= 1;
        self.totals.sum = self.totals.sum.wrapping_sub(i64::from(entry.sum));
        self.rows.push(RowChange::Delete { row: entry.row });
        self.snapshot.revision = revision;
        self.snapshot.remove(&before.key);
        self.changes.push(Change { revision, object: last.clone(), before: Some(before.clone()), deleted: true });
        last
    }
}
