//! What a client wants changed, what it expects to find, and why it was refused.

use crate::object::{Object, Revision};
use firstlight_api::object::Key;
use serde_json::Value;
use std::sync::Arc;

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
