//! How long a container that ended must wait before it starts again (section 1.7).
//!
//! The first restart is immediate, the following ones wait 10 s, 20 s, 40 s ... up to the longest, counted from the
//! end of the last instance. Asked by the fold, which counts, and by the decision, which waits.

use crate::seen::Crashes;
use crate::spec::Backoff;
use crate::time::{Millis, Now};

/// IMG-7: the wait after the first pull that failed.
const IMAGE_FIRST: Millis = Millis::secs(10);
/// BKF-4: twice the default cap, whatever the cap is.
const FORGIVEN_AFTER: Millis = Millis::secs(600);
/// IMG-7: pulls that fail wait as crashes do, up to this.
pub(crate) const IMAGE_CAP: Millis = Millis::secs(300);

/// The delay after `count` failures: `initial` doubled `count - 1` times, at most `cap`; none for no failure.
#[must_use]
pub(crate) fn doubled(initial: Millis, count: u32, cap: Millis) -> Millis {
    match count.checked_sub(1) {
        None => Millis(0),
        Some(doublings) => Millis(initial.0.saturating_mul(1_u64.checked_shl(doublings).unwrap_or(u64::MAX))).min(cap),
    }
}

/// The delay after `count` failed pulls of an image.
#[must_use]
pub(crate) fn of_image(count: u32) -> Millis {
    doubled(IMAGE_FIRST, count, IMAGE_CAP)
}

impl Crashes {
    /// The count after one more restart, made at `at`, of an instance that ended at `finished`.
    pub(crate) fn after(before: Option<Crashes>, finished: Now, image: Option<&str>, at: Now) -> Crashes {
        let image = image.map(str::to_owned);
        let counted = before.filter(|crashes| crashes.counts(finished, image.as_deref()));
        match counted {
            Some(crashes) => {
                Crashes { restarts: crashes.restarts.saturating_add(1), at, image: image.or(crashes.image) }
            }
            None => Crashes { restarts: 1, at, image },
        }
    }

    /// How long an instance of `image` that ended at `finished` has to wait, from then.
    pub(crate) fn delay(&self, finished: Now, image: &str, rule: Backoff) -> Millis {
        if self.counts(finished, Some(image)) { doubled(rule.first, self.restarts, rule.longest) } else { Millis(0) }
    }

    /// How long the restart counted last had to wait; `None` if it was immediate.
    pub(crate) fn last_delay(&self, rule: Backoff) -> Option<Millis> {
        let before = self.restarts.checked_sub(1).filter(|before| *before > 0)?;
        Some(doubled(rule.first, before, rule.longest))
    }

    /// Whether the count still stands: it is about this image (BKF-5), and the instance did not run so long that
    /// everything before is forgiven (BKF-4).
    fn counts(&self, finished: Now, image: Option<&str>) -> bool {
        let same = match (&self.image, image) {
            (Some(counted), Some(image)) => counted == image,
            (None, _) | (_, None) => true,
        };
        same && finished.since(self.at) <= FORGIVEN_AFTER
    }
}

#[cfg(test)]
mod tests;
