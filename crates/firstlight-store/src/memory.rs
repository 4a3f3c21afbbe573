//! A store without a disk, for simulations: the same order, refusals and watches, in imagined time.
//!
//! Nothing here is for production: what it keeps lives as long as its [`Memory`]. Its writer is a task of the runtime
//! that opened it. When that runtime is dropped, writes that were under way are lost or kept as a killed engine's are:
//! kept if [`Fate::before`] had passed, answered or not.

use crate::history::History;
use crate::log::{Totals, next_block};
use crate::snapshot::Snapshot;
use crate::store::{Options, Store};
use crate::writer::{Published, Request, gather};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// What outlives an engine that has no disk. Clones are one memory.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Kept>>);

#[derive(Debug, Clone, Default)]
struct Kept {
    snapshot: Snapshot,
    totals: Totals,
}

/// What befalls a batch of writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fate {
    /// How long it takes until they are durable.
    pub before: Duration,
    /// How long after that until they are visible and answered.
    pub after: Duration,
    /// Why the disk refuses them, if it does.
    pub refused: Option<String>,
}

impl Store {
    /// Opens a store on a memory, within the current tokio runtime, which keeps its time. `fate` is asked once for each
    /// batch of writes.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn in_memory(memory: &Memory, options: Options, fate: impl FnMut() -> Fate + Send + 'static) -> Store {
        let Kept { mut snapshot, mut totals } = memory.kept();
        totals.revision = next_block(totals.revision);
        snapshot.revision = totals.revision;
        let history = Arc::new(History::new(totals.revision, options.max_changes, options.max_bytes));
        let latest = Arc::new(ArcSwap::from_pointee(snapshot));
        let (requests, queue) = Store::queue();
        let published = Published { totals, latest: latest.clone(), history: history.clone() };
        tokio::spawn(write(published, memory.clone(), queue, fate));
        Store::of(latest, history, requests)
    }
}

impl Memory {
    /// Another memory that holds what this one holds now.
    #[must_use]
    pub fn copy(&self) -> Memory {
        Memory(Arc::new(Mutex::new(self.kept())))
    }

    fn kept(&self) -> Kept {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, kept: Kept) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

async fn write(
    mut published: Published,
    memory: Memory,
    mut requests: mpsc::Receiver<Request>,
    mut fate: impl FnMut() -> Fate,
) {
    while let Some(first) = requests.recv().await {
        let batch = published.weigh(gather(first, &mut requests));
        let Fate { before, after, refused } = if batch.changes() { fate() } else { Fate::default() };
        tokio::time::sleep(before).await;
        let durable = match refused {
            Some(reason) => Err(reason),
            None => {
                memory.keep(Kept { snapshot: batch.draft.snapshot.clone(), totals: batch.draft.totals });
                Ok(())
            }
        };
        tokio::time::sleep(after).await;
        published.settle(batch, durable);
    }
}
