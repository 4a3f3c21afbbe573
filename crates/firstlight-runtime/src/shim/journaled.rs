//! Facts, written before they are told.
//!
//! A fact that cannot be written (a full disk) waits, and whatever follows waits behind it: told facts are always a
//! prefix of what happened, in order.

use crate::journal::Journal;
use crate::wire::Record;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long after a failed write it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// The journal and what waits for it.
#[derive(Debug)]
pub(crate) struct Facts {
    journal: Journal,
    waiting: VecDeque<Record>,
    again: Option<Instant>,
    /// Written, to be told to the engine that listens now.
    fresh: Vec<Record>,
}

impl Facts {
    /// Over a journal that has been begun.
    pub(crate) fn new(journal: Journal) -> Facts {
        Facts { journal, waiting: VecDeque::new(), again: None, fresh: Vec::new() }
    }

    /// Something happened.
    pub(crate) fn add(&mut self, record: Record) {
        self.waiting.push_back(record);
        if self.again.is_none() {
            self.write();
        }
    }

    /// Something is about to be done. False if that cannot be written now: then it must not be done.
    pub(crate) fn intend(&mut self, record: Record) -> bool {
        let written = self.waiting.is_empty() && self.journal.add(record.clone()).is_ok();
        // Told too, so that an engine can count what it was told of the journal.
        self.fresh.extend(written.then_some(record));
        written
    }

    /// Tries what waits, if it is time.
    pub(crate) fn retry(&mut self, now: Instant) {
        if self.again.is_some_and(|again| again <= now) {
            self.again = None;
            self.write();
        }
    }

    /// When to call [`Facts::retry`].
    pub(crate) fn again(&self) -> Option<Instant> {
        self.again
    }

    /// The end: what still cannot be written is told all the same. Nothing will be started because of it any more,
    /// and a pod on a full disk must be removable.
    pub(crate) fn conclude(&mut self, last: Record) {
        self.add(last);
        self.fresh.extend(self.waiting.drain(..));
    }

    /// What was written since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.fresh)
    }

    /// Everything written.
    pub(crate) fn all(&self) -> &[Record] {
        self.journal.records()
    }

    fn write(&mut self) {
        while let Some(record) = self.waiting.front() {
            if self.journal.add(record.clone()).is_err() {
                self.again = Some(Instant::now() + AGAIN);
                return;
            }
            self.fresh.extend(self.waiting.pop_front());
        }
    }
}
