//! What has been seen of a pod: the fold of its events.

use crate::event::Event;

/// Everything known about a pod's past and present. Changed by [`Seen::fold`] alone, and rebuilt after a restart
/// by folding the API's last status and the sandbox's journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {}

impl Seen {
    /// Takes one event in. Total: an event that contradicts what is known is the newer truth.
    pub fn fold(&mut self, event: &Event) {
        let _ = event;
    }
}
