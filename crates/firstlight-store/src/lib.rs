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
//!
//! | module | question it answers |
//! | --- | --- |
//! | [`object`](Object) | what is kept, and at which revision |
//! | [`write`](Write) | what a client wants changed, and why it was refused |
//! | [`snapshot`](Snapshot) | what is there, as of one revision |
//! | `draft` | what a batch of writes makes of a snapshot |
//! | `writer` | in which order writes become durable, visible and answered |
//! | `log` | how they are kept on disk, and whether what is found there is whole |
//! | `history` | what happened recently |
//! | [`memory`] | how a simulation keeps objects without a disk |
//! | [`watch`](Watch) | what happens after a revision |
//! | `lock` | whether another engine uses the directory |
#![forbid(unsafe_code)]

mod draft;
mod history;
mod lock;
mod log;
pub mod memory;
mod object;
mod open;
mod snapshot;
mod store;
mod watch;
mod write;
mod writer;

pub use history::Expired;
pub use object::{Change, List, Object, Revision};
pub use open::OpenError;
pub use snapshot::Snapshot;
pub use store::{Options, Store};
pub use watch::Watch;
pub use write::{Expect, Refused, Write};
