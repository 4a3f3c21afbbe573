//! How do two hundred pods that want one image at once cause one download? Asked by the store for every pull (fault
//! row 40).

use super::digest::Digest;
use super::{Image, Unavailable};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use std::collections::HashMap;
use std::future::Future;
use std::sync::Mutex;

/// What is pulled, and with which credentials: a pull that succeeds with one pod's secret proves nothing for another's.
type Key = (String, Digest);
type Outcome = Result<Image, Unavailable>;
type Pull = BoxFuture<'static, Outcome>;

/// The pulls under way. A lock because callers come from the tasks of many pods; it is held to look up and insert, never
/// while something is awaited. Weak, so that a pull nobody waits for any more is dropped, and stops.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Key, WeakShared<Pull>>>);

impl Flights {
    /// The outcome of the pull under way for `key`, or of a new one.
    pub(super) async fn join<F>(&self, key: Key, begin: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.find(key, begin).await
    }

    fn find<F>(&self, key: Key, begin: impl FnOnce() -> F) -> Shared<Pull>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut flights = self.0.lock().expect("nothing panics while it is held");
        if let Some(under_way) = flights.get(&key).and_then(WeakShared::upgrade) {
            return under_way;
        }
        flights.retain(|_, flight| flight.upgrade().is_some());
        let new = begin().boxed().shared();
        if let Some(weak) = new.downgrade() {
            flights.insert(key, weak);
        }
        new
    }
}

#[cfg(test)]
mod tests;
