//! What happens after a revision: changes in order, without gap or repeat, or `Expired` (E7).

use crate::history::{Expired, Filter, History};
use crate::object::{Change, Revision};
use firstlight_api::object::Resource;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;

/// How many changes a watcher takes from the ring at once: enough that a burst costs few locks, few enough that
/// a watcher nobody reads holds little.
const GULP: usize = 64;

/// A stream of changes. It does not keep the store open: once that is closed, it waits for ever.
#[derive(Debug)]
pub struct Watch {
    history: Arc<History>,
    filter: Filter,
    /// Everything up to here was examined: delivered, in `ready`, or not admitted.
    position: Revision,
    ready: VecDeque<Change>,
    bell: watch::Receiver<()>,
}

impl Watch {
    pub(crate) fn start(
        history: Arc<History>,
        resource: Resource,
        namespace: Option<&str>,
        from: Revision,
    ) -> Result<Watch, Expired> {
        history.check(from)?;
        let bell = history.bell(resource);
        let filter = Filter { resource, namespace: namespace.map(str::to_owned) };
        Ok(Watch { history, filter, position: from, ready: VecDeque::new(), bell })
    }

    /// The next change. Cancel-safe.
    ///
    /// # Errors
    /// `Expired` if this watcher was too slow and history was dropped under it.
    pub async fn next(&mut self) -> Result<Change, Expired> {
        loop {
            if let Some(change) = self.try_next()? {
                return Ok(change);
            }
            if self.bell.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// The next change, if there is one now.
    ///
    /// # Errors
    /// As [`next`](Watch::next).
    pub fn try_next(&mut self) -> Result<Option<Change>, Expired> {
        if self.ready.is_empty() {
            // Before looking, so that a change published right after the look rings again.
            self.bell.mark_unchanged();
            let (found, reached) = self.history.after(self.position, &self.filter, GULP)?;
            self.ready.extend(found);
            self.position = reached;
        }
        Ok(self.ready.pop_front())
    }

    /// The revision up to which this watcher has seen everything (for bookmarks).
    #[must_use]
    pub fn seen(&self) -> Revision {
        match self.ready.front() {
            Some(next) => Revision(next.revision.0 - 1),
            None => match self.history.after(self.position, &self.filter, 1) {
                Ok((found, reached)) => found.first().map_or(reached, |next| Revision(next.revision.0 - 1)),
                Err(Expired { .. }) => self.position,
            },
        }
    }
}
