//! What time is it? The wall clock as of the start, made to never go back while this process lives.
//!
//! Time is read here and nowhere else in the node, once per turn of a worker. It passes as tokio's does, so that a
//! simulation can let it pass as it likes.

use firstlight_pod::Now;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// A start, advanced by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    epoch_ms: u64,
}

impl Clock {
    /// A clock that begins now, by this machine's wall clock.
    #[must_use]
    pub fn wall() -> Clock {
        // A clock before 1970 is no clock; counting from zero still orders everything.
        Clock::from(Now(millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())))
    }

    /// A clock that begins now, at this time.
    #[must_use]
    pub fn from(Now(epoch_ms): Now) -> Clock {
        Clock { began: Instant::now(), epoch_ms }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        Now(self.epoch_ms.saturating_add(millis(self.began.elapsed())))
    }

    /// When a given time comes, for timers.
    pub(crate) fn instant(&self, at: Now) -> Instant {
        self.began + Duration::from_millis(at.0.saturating_sub(self.epoch_ms))
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
