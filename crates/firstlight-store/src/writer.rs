//! In which order writes become durable, visible and answered: one writer, batch by batch.
//!
//! Whatever waits is taken together, made durable at once, then published, then answered. A refusal also waits for the
//! batch, because it may show an object of the same batch. On a disk the writer is a thread of its own; [`crate::memory`]
//! is the other way.

use crate::draft::Draft;
use crate::history::History;
use crate::log::{Failure, Log, Totals};
use crate::object::Object;
use crate::snapshot::Snapshot;
use crate::write::{Refused, Write};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How many writes share a transaction at most: beyond this their own cost outweighs the shared fsync.
const MAX_BATCH: usize = 256;

/// How long after a failed attempt the log is made anew at the earliest: it costs a copy of everything.
const REMAKE_PAUSE: Duration = Duration::from_secs(1);

/// A write on its way, and who waits for the answer.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) write: Write,
    pub(crate) answer: oneshot::Sender<Verdict>,
}

/// What becomes of a write.
type Verdict = Result<Arc<Object>, Refused>;

/// What readers and watchers see, and what the next write builds on.
pub(crate) struct Published {
    pub(crate) totals: Totals,
    pub(crate) latest: Arc<ArcSwap<Snapshot>>,
    pub(crate) history: Arc<History>,
}

/// Writes that are decided but neither durable nor visible nor answered.
pub(crate) struct Batch {
    pub(crate) draft: Draft,
    answers: Vec<(oneshot::Sender<Verdict>, Verdict)>,
}

impl Batch {
    /// Whether it changes anything.
    pub(crate) fn changes(&self) -> bool {
        !self.draft.rows.is_empty()
    }
}

/// What waits already joins the first.
pub(crate) fn gather(first: Request, requests: &mut mpsc::Receiver<Request>) -> Vec<Request> {
    let mut batch = vec![first];
    while batch.len() < MAX_BATCH
        && let Ok(next) = requests.try_recv()
    {
        batch.push(next);
    }
    batch
}

impl Published {
    /// What these writes come to, each seeing those before it.
    pub(crate) fn weigh(&self, requests: Vec<Request>) -> Batch {
        let mut draft = Draft::of(&self.latest.load(), self.totals);
        let weigh = |Request { write, answer }| (answer, draft.apply(write));
        let answers = requests.into_iter().map(weigh).collect();
        Batch { draft, answers }
    }

    /// Shows and answers them, durable or not at all.
    pub(crate) fn settle(&mut self, batch: Batch, durable: Result<(), String>) {
        let changes = batch.changes();
        let Batch { draft, answers } = batch;
        if durable.is_ok() && changes {
            self.publish(draft);
        }
        for (answer, verdict) in answers {
            let verdict = match &durable {
                Ok(()) => verdict,
                Err(reason) => Err(Refused::Unavailable(reason.clone())),
            };
            // Whoever asked may have gone; the write stands all the same.
            let _ = answer.send(verdict);
        }
    }

    /// Visible first to readers, then to watchers: who sees a change never reads an older state after it.
    fn publish(&mut self, draft: Draft) {
        let Draft { snapshot, totals, rows: _, changes } = draft;
        self.totals = totals;
        self.latest.store(Arc::new(snapshot));
        self.history.publish(changes);
    }
}

/// The one thread that writes to a disk.
pub(crate) struct Writer {
    pub(crate) log: Log,
    pub(crate) published: Published,
    /// Why the log cannot be trusted any more, and when it was last found so.
    pub(crate) broken: Option<(String, Instant)>,
}

impl Writer {
    /// Serves until the last store handle is gone.
    pub(crate) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let batch = self.published.weigh(gather(first, &mut requests));
            let durable = if batch.changes() { self.make_durable(&batch.draft) } else { Ok(()) };
            self.published.settle(batch, durable);
            self.tidy(requests.is_empty());
        }
    }

    fn make_durable(&mut self, draft: &Draft) -> Result<(), String> {
        self.mend()?;
        self.log.append(&draft.rows, draft.totals).map_err(|failure| self.note(failure))
    }

    /// After a failure that leaves the file in doubt, the log is made anew from what is known to be acknowledged.
    fn mend(&mut self) -> Result<(), String> {
        let Some((reason, since)) = &self.broken else { return Ok(()) };
        if since.elapsed() < REMAKE_PAUSE {
            return Err(reason.clone());
        }
        match self.log.remake(&self.published.latest.load(), self.published.totals) {
            Ok(()) => {
                tracing::warn!("the store's log was made anew and takes writes again");
                self.broken = None;
                Ok(())
            }
            Err(reason) => {
                self.broken = Some((reason.clone(), Instant::now()));
                Err(reason)
            }
        }
    }

    fn note(&mut self, failure: Failure) -> String {
        match failure {
            Failure::Passing(reason) => reason,
            Failure::InDoubt(reason) => {
                tracing::error!(%reason, "the store's log is in doubt; writes are refused until it is made anew");
                self.broken = Some((reason.clone(), Instant::now()));
                reason
            }
        }
    }

    /// Folds the log into the database, when nobody waits if possible.
    fn tidy(&mut self, idle: bool) {
        if self.broken.is_none()
            && let Err(failure) = self.log.checkpoint(idle)
        {
            self.note(failure);
        }
    }
}
