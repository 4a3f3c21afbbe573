//! In which order writes become durable, visible and answered: one thread, batch by batch.
//!
//! Whatever waits is taken together, written by one transaction and one fsync, then published, then answered. A
//! refusal also waits for the batch, because it may show an object of the same batch.

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
    pub(crate) answer: oneshot::Sender<Result<Arc<Object>, Refused>>,
}

/// The one thread that writes.
pub(crate) struct Writer {
    pub(crate) log: Log,
    pub(crate) totals: Totals,
    pub(crate) latest: Arc<ArcSwap<Snapshot>>,
    pub(crate) history: Arc<History>,
    /// Why the log cannot be trusted any more, and when it was last found so.
    pub(crate) broken: Option<(String, Instant)>,
}

impl Writer {
    /// Serves until the last store handle is gone.
    pub(crate) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH
                && let Ok(next) = requests.try_recv()
            {
                batch.push(next);
            }
            self.commit(batch);
            self.tidy(requests.is_empty());
        }
    }

    fn commit(&mut self, batch: Vec<Request>) {
        let mut draft = Draft::of(&self.latest.load(), self.totals);
        let (writes, answers): (Vec<Write>, Vec<_>) =
            batch.into_iter().map(|Request { write, answer }| (write, answer)).unzip();
        let verdicts: Vec<_> = writes.into_iter().map(|write| draft.apply(write)).collect();
        let outcome = if draft.rows.is_empty() { Ok(()) } else { self.make_durable(&draft) };
        if outcome.is_ok() && !draft.rows.is_empty() {
            self.publish(draft);
        }
        for (answer, verdict) in answers.into_iter().zip(verdicts) {
            let verdict = match &outcome {
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
        match self.log.remake(&self.latest.load(), self.totals) {
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
