//! Why did all that happen? A bounded ring of one pod's latest decisions: what was heard, what was done and why, what is
//! waited for. Names and outcomes only; what an environment or a volume holds is not kept.

use firstlight_pod::{Event, Now, Plan, Wait};
use std::collections::VecDeque;

/// Decisions kept per pod: a start with ten inits makes about fifty.
const KEPT: usize = 256;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was made.
    pub at: Now,
    /// What had been heard since the one before.
    pub heard: Vec<String>,
    /// What was handed out, each with its why.
    pub done: Vec<(String, String)>,
    /// What was waited for then.
    pub waits: Vec<Wait>,
}

/// The ring.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    heard: Vec<String>,
}

impl Journal {
    /// Notes an input of the next decision.
    pub(crate) fn hear(&mut self, event: &Event) {
        self.heard.push(event.to_string());
    }

    /// Keeps a decision that heard or did something, or waits for something else than the one before.
    pub(crate) fn record(&mut self, at: Now, plan: &Plan) {
        let heard = std::mem::take(&mut self.heard);
        let done: Vec<_> = plan.actions.iter().map(|a| (a.what.to_string(), a.why.0.clone())).collect();
        let same = self.entries.back().is_some_and(|last| last.waits == plan.waits);
        if heard.is_empty() && done.is_empty() && same {
            return;
        }
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { at, heard, done, waits: plan.waits.clone() });
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }
}
