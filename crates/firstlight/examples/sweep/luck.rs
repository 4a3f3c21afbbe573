//! Where do the instants come from? From a seed, printed with every failure so that the same can be tried again.

use std::time::Duration;

/// splitmix64.
pub(crate) struct Luck(pub(crate) u64);

impl Luck {
    /// A time shorter than `limit`.
    pub(crate) fn below(&mut self, limit: Duration) -> Duration {
        Duration::from_nanos(self.less_than(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// A number less than `end`.
    pub(crate) fn less_than(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        z % end.max(1)
    }
}
