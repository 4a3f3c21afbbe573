//! What is still to be asked: at most once at a time for each question, sooner after a change, later after a failure.

use crate::desk::Question;
use std::collections::{BTreeMap, BTreeSet};

/// The first wait after a failure, doubled with each further one, and the longest. Upstream's queues wait 5 ms at first and
/// up to 1000 s; ours are asked anew by every change, so a longer first wait loses nothing and a shorter last one little.
const FIRST_WAIT_MS: u64 = 50;
const LONGEST_WAIT_MS: u64 = 30_000;

/// Questions and when each is due, in milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Ledger {
    due: BTreeMap<Question, u64>,
    busy: BTreeSet<Question>,
    failures: BTreeMap<Question, u32>,
}

impl Ledger {
    /// The question is to be asked at this time, or earlier if it already was to be.
    pub fn ask(&mut self, question: Question, at_ms: u64) {
        let due = self.due.entry(question).or_insert(at_ms);
        *due = (*due).min(at_ms);
    }

    /// A question that is due and that nobody works on; it is busy from now on.
    pub fn take(&mut self, now_ms: u64) -> Option<Question> {
        let ready = |(question, due): &(&Question, &u64)| **due <= now_ms && !self.busy.contains(*question);
        let question = self.due.iter().find(ready).map(|(question, _)| question.clone())?;
        self.due.remove(&question);
        self.busy.insert(question.clone());
        Some(question)
    }

    /// The work that followed from a question is done; after a failure it is to be asked again a little later.
    pub fn finished(&mut self, question: &Question, well: bool, now_ms: u64) {
        self.busy.remove(question);
        if well {
            self.failures.remove(question);
            return;
        }
        let failures = self.failures.entry(question.clone()).or_insert(0);
        let wait = FIRST_WAIT_MS.saturating_mul(1 << (*failures).min(16)).min(LONGEST_WAIT_MS);
        *failures = failures.saturating_add(1);
        self.ask(question.clone(), now_ms.saturating_add(wait));
    }

    /// When the next question is due that nobody works on.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        self.due.iter().filter(|(question, _)| !self.busy.contains(*question)).map(|(_, due)| *due).min()
    }
}

#[cfg(test)]
mod tests;
