//! The runs of equal outcomes of one probe, so far as they can still decide its result.
//!
//! A probe's result changes when `successThreshold` successes or `failureThreshold` failures follow each other,
//! and else stays what it was. The fold does not know the thresholds, so the runs are kept and the question is
//! answered later, for any thresholds. An older run that is not longer than a newer one of the same outcome can
//! never be the answer and is dropped, which keeps the list short: its lengths fall strictly.

/// Runs, oldest first: outcome and length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Streaks {
    runs: Vec<(bool, u32)>,
}

impl Streaks {
    pub(crate) fn push(&mut self, success: bool) {
        let length = match self.runs.last() {
            Some((outcome, length)) if *outcome == success => {
                let longer = length.saturating_add(1);
                self.runs.pop();
                longer
            }
            Some(_) | None => 1,
        };
        self.runs.retain(|(outcome, older)| *outcome != success || *older > length);
        self.runs.push((success, length));
    }

    /// The newest run that reached its threshold; `None` if none ever did.
    pub(crate) fn result(&self, successes: u32, failures: u32) -> Option<bool> {
        self.runs
            .iter()
            .rev()
            .find(|(success, length)| *length >= if *success { successes } else { failures })
            .map(|(success, _)| *success)
    }
}
