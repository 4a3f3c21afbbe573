//! Why did all that happen? A bounded ring of one pod's latest decisions.

use firstlight_pod::{Now, Plan};
use std::collections::VecDeque;

/// Decisions kept per pod: a start with ten inits makes about fifty.
const KEPT: usize = 256;

/// One decision: when, what was done with its reason, and what is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was made.
    pub at: Now,
    /// What was handed out, each with its why.
    pub done: Vec<(String, String)>,
    /// What was waited for then.
    pub waits: Vec<String>,
}

/// The ring.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
}

impl Journal {
    /// Keeps a decision that did something or waits for something else than the one before.
    pub(crate) fn record(&mut self, at: Now, plan: &Plan) {
        let done: Vec<_> = plan.actions.iter().map(|a| (format!("{:?}", a.what), a.why.0.clone())).collect();
        let waits: Vec<_> = plan.waits.iter().map(|wait| wait.what.clone()).collect();
        if done.is_empty() && self.entries.back().is_some_and(|last| last.waits == waits) {
            return;
        }
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { at, done, waits });
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }
}
