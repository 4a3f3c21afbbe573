//! What time is it? The wall clock, made to never go back while this process lives.
//!
//! Time is read here and nowhere else in the node, once per turn of a worker.

use firstlight_pod::Now;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock as of the start, advanced by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: Instant,
    epoch_ms: u64,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        // A clock before 1970 is no clock; counting from zero still orders everything.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { began: Instant::now(), epoch_ms: millis(since_epoch) }
    }

    pub(crate) fn now(&self) -> Now {
        Now(self.epoch_ms.saturating_add(millis(self.began.elapsed())))
    }

    /// When a given time comes, for timers.
    pub(crate) fn instant(&self, at: Now) -> tokio::time::Instant {
        let ms = at.0.saturating_sub(self.epoch_ms);
        (self.began + Duration::from_millis(ms)).into()
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
