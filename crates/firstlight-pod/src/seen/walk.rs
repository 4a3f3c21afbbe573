//! Which walk through the init steps is this? Progress is counted within one walk, never across two: a new sandbox begins
//! one, and so does a restart of all containers in the same sandbox (RST-12).

use super::Seen;
use crate::event::Instance;
use crate::time::Now;

/// One walk from the first init step to the mains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Walk {
    /// The sandbox generation it happens in.
    pub(crate) sandbox: u32,
    /// How many walks there were before it in that sandbox.
    pub(crate) number: u32,
}

/// All containers were restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restarted {
    /// The walk that began with it.
    pub(crate) walk: Walk,
    pub(crate) at: Now,
}

impl Walk {
    /// Whether the walk `of` an instance is over, its sandbox being the same as `now`.
    pub(crate) fn is_over(of: Option<Walk>, now: Option<Walk>) -> bool {
        match (of, now) {
            (Some(of), Some(now)) => of.sandbox == now.sandbox && of.number < now.number,
            (None, _) | (_, None) => false,
        }
    }
}

impl Seen {
    /// The walk of now, or of the latest sandbox if that is gone.
    pub(crate) fn walk(&self) -> Option<Walk> {
        let sandbox = self.sandbox.attempt()?;
        let restarted = self.restarted.filter(|restarted| restarted.walk.sandbox == sandbox);
        Some(restarted.map_or(Walk { sandbox, number: 0 }, |restarted| restarted.walk))
    }

    pub(super) fn restart_all(&mut self, number: u32, because: &Instance, at: Now) {
        let Some(old) = self.walk().filter(|old| self.sandbox.is_there() && old.number < number) else { return };
        let walk = Walk { number, ..old };
        self.restarted = Some(Restarted { walk, at });
        for (name, history) in &mut self.containers {
            let attempt = (*name == because.container).then_some(because.attempt);
            history.restarted(old, attempt);
        }
    }
}
