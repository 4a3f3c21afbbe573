//! The store's handle: opens it, reads from the latest snapshot, sends writes to the writer, starts watches.

use crate::history::{Expired, History};
use crate::lock::Lock;
use crate::log::{Log, Opened};
use crate::object::{List, Object, Revision};
use crate::open::OpenError;
use crate::snapshot::Snapshot;
use crate::watch::Watch;
use crate::write::{Refused, Write};
use crate::writer::{Published, Request, Writer};
use arc_swap::ArcSwap;
use firstlight_api::object::{Key, Resource};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// How many writes may wait for the writer: four full batches; beyond that, who writes waits.
const QUEUE: usize = 1024;

/// How much history is kept for watchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Changes kept at most.
    pub max_changes: usize,
    /// Bytes of JSON text they may hold at most, with half a kilobyte added for each change.
    pub max_bytes: usize,
}

impl Default for Options {
    /// A thousand pods' changes within a few tens of megabytes: an object takes some ten times its text while it is parsed.
    fn default() -> Options {
        Options { max_changes: 10_000, max_bytes: 4 << 20 }
    }
}

/// The store. Cheap to clone; all clones are one store.
///
/// The last clone to go waits for the write under way and frees the directory.
#[derive(Debug, Clone)]
pub struct Store {
    latest: Arc<ArcSwap<Snapshot>>,
    history: Arc<History>,
    writer: Arc<WriterHandle>,
}

/// Ends the writer thread with the last clone. Fields are dropped by hand, in this order, because the thread ends
/// only after the queue is closed, and the directory is free only after the thread ended.
#[derive(Debug)]
struct WriterHandle {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    lock: Option<Lock>,
}

impl Store {
    /// Opens or makes the store in `dir` and takes its lock.
    ///
    /// # Errors
    /// If another engine holds it, or it cannot be read: never silently empty (E6).
    pub fn open(dir: &Path) -> Result<Store, OpenError> {
        Store::open_with(dir, Options::default())
    }

    /// As [`open`](Store::open), with another bound on history.
    ///
    /// # Errors
    /// As [`open`](Store::open).
    pub fn open_with(dir: &Path, options: Options) -> Result<Store, OpenError> {
        std::fs::create_dir_all(dir).map_err(OpenError::io(dir))?;
        let mut lock = Lock::take(dir)?;
        let Opened { log, snapshot, totals } = Log::open(dir, lock.used_before)?;
        if !lock.used_before {
            lock.sign().map_err(OpenError::io(dir))?;
        }
        let history = Arc::new(History::new(totals.revision, options.max_changes, options.max_bytes));
        let latest = Arc::new(ArcSwap::from_pointee(snapshot));
        let (requests, queue) = Store::queue();
        let published = Published { totals, latest: latest.clone(), history: history.clone() };
        let writer = Writer { log, published, broken: None };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(OpenError::io(dir))?;
        let writer = Arc::new(WriterHandle { requests: Some(requests), thread: Some(thread), lock: Some(lock) });
        Ok(Store { latest, history, writer })
    }

    /// A store whose writer serves the other end of `requests` and needs nothing else.
    pub(crate) fn of(latest: Arc<ArcSwap<Snapshot>>, history: Arc<History>, requests: mpsc::Sender<Request>) -> Store {
        let writer = Arc::new(WriterHandle { requests: Some(requests), thread: None, lock: None });
        Store { latest, history, writer }
    }

    /// The way of writes to their writer.
    pub(crate) fn queue() -> (mpsc::Sender<Request>, mpsc::Receiver<Request>) {
        mpsc::channel(QUEUE)
    }

    /// The object of this key, as of the latest revision.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.latest.load().get(key).cloned()
    }

    /// All objects of a resource, in one namespace or in all.
    #[must_use]
    pub fn list(&self, resource: Resource, namespace: Option<&str>) -> List {
        self.latest.load().list(resource, namespace)
    }

    /// Everything as of the latest revision, for reads that must agree with each other. Cheap.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.latest.load_full()
    }

    /// Makes a change durable, visible and known to watchers, in this order. A caller that stops waiting does not
    /// take the write back.
    ///
    /// # Errors
    /// If what it expects is not so, or the disk refuses.
    pub async fn commit(&self, write: Write) -> Result<Arc<Object>, Refused> {
        let ended = || Refused::Unavailable("its writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        let requests = self.writer.requests.as_ref().ok_or_else(ended)?;
        requests.send(Request { write, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// The changes of a resource after `from`, then live, in order, without gap or repeat.
    ///
    /// # Errors
    /// If history that old is not kept.
    pub fn watch(&self, resource: Resource, namespace: Option<&str>, from: Revision) -> Result<Watch, Expired> {
        Watch::start(self.history.clone(), resource, namespace, from)
    }

    /// The latest revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.latest.load().revision()
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // It panicked: said by the panic itself, and there is nothing left to save.
            let _ = thread.join();
        }
        drop(self.lock.take());
    }
}
