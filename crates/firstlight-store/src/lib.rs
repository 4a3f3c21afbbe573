//! Keeps the API's objects: all reads and watches from memory, durability under it.
//!
//! ```text
//!  commit(Write) ──► writer thread: check expectation, next revision, SQLite (WAL, synchronous=FULL, group
//!                    commit) ──► publish a new immutable snapshot and the changes ──► answer
//!  get, list     ──► the latest snapshot, no lock held
//!  watch(from)   ──► the bounded ring of recent changes, then live; or `Expired`
//! ```
//!
//! Order of commits = order of revisions = order watchers see. A write is answered and visible only after it is
//! durable (E1). One revision counter covers every kind and never repeats, also across restarts.
#![forbid(unsafe_code)]

use bytes::Bytes;
use firstlight_api::object::{Key, Resource};
use serde_json::Value;
use std::path::Path;
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

/// What a write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing of that key.
    Absent,
    /// Exactly this revision.
    At(Revision),
}

/// One change to make.
#[derive(Debug, Clone)]
pub struct Write {
    /// Which object.
    pub key: Key,
    /// What must be there now.
    pub expect: Expect,
    /// The new content, or `None` to delete. The store stamps `metadata.resourceVersion`.
    pub value: Option<Value>,
}

/// Why a write was not made.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is one already.
    #[error("already exists")]
    Exists(Arc<Object>),
    /// It is not there (any more).
    #[error("not found")]
    Missing,
    /// Somebody wrote in between.
    #[error("changed in between")]
    Stale(Arc<Object>),
    /// The disk is full or read-only: reads go on, writes are refused until that ends.
    #[error("the store cannot write: {0}")]
    Unavailable(String),
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

/// The history asked for is no longer kept: list again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too old resource version: {asked:?} ({oldest:?})")]
pub struct Expired {
    /// What was asked for.
    pub asked: Revision,
    /// The oldest revision a watch may start from.
    pub oldest: Revision,
}

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another engine uses it.
    #[error("{0} is used by another engine (process {1}); stop it or name another --data-dir")]
    Locked(std::path::PathBuf, u32),
    /// The database is damaged or from a newer version.
    #[error("{path}: {problem}; {way_out}")]
    Unreadable {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What can be done.
        way_out: String,
    },
    /// The file system refused.
    #[error("{0}: {1}")]
    Io(std::path::PathBuf, #[source] std::io::Error),
}

/// The store. Cheap to clone; all clones are one store.
#[derive(Debug, Clone)]
pub struct Store {}

impl Store {
    /// Opens or makes the store in `dir` and takes its lock.
    ///
    /// # Errors
    /// If another engine holds it, or it cannot be read: never silently empty (E6).
    pub fn open(dir: &Path) -> Result<Store, OpenError> {
        let _ = dir;
        Ok(Store {})
    }

    /// The object of this key, as of the latest revision.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        let _ = key;
        None
    }

    /// All objects of a resource, in one namespace or in all.
    #[must_use]
    pub fn list(&self, resource: Resource, namespace: Option<&str>) -> List {
        let _ = (resource, namespace);
        List { revision: Revision(0), items: Vec::new() }
    }

    /// Makes a change durable, visible and known to watchers, in this order.
    ///
    /// # Errors
    /// If what it expects is not so, or the disk refuses.
    #[expect(clippy::unused_async, reason = "seam")]
    pub async fn commit(&self, write: Write) -> Result<Arc<Object>, Refused> {
        let _ = write;
        Err(Refused::Missing)
    }

    /// The changes of a resource after `from`, then live, in order, without gap or repeat.
    ///
    /// # Errors
    /// If history that old is not kept.
    pub fn watch(&self, resource: Resource, namespace: Option<&str>, from: Revision) -> Result<Watch, Expired> {
        let _ = (resource, namespace, from);
        Ok(Watch {})
    }

    /// The latest revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(0)
    }
}

/// A stream of changes.
#[derive(Debug)]
pub struct Watch {}

impl Watch {
    /// The next change. Cancel-safe.
    ///
    /// # Errors
    /// `Expired` if this watcher was too slow and history was dropped under it.
    #[expect(clippy::unused_async, reason = "seam")]
    pub async fn next(&mut self) -> Result<Change, Expired> {
        std::future::pending().await
    }

    /// The revision up to which this watcher has seen everything (for bookmarks).
    #[must_use]
    pub fn seen(&self) -> Revision {
        Revision(0)
    }
}
