//! Time as an argument: an instant and a length, both in milliseconds.

/// An instant: milliseconds since the Unix epoch, read by the shell from a clock that never goes back.
///
/// Back-off, deadlines and timestamps all use it; the pure crates never read a clock themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Now(pub u64);

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Now {
    /// The instant `length` later, saturating at the end of time.
    #[must_use]
    pub const fn plus(self, length: Millis) -> Now {
        Now(self.0.saturating_add(length.0))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Now) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Millis {
    /// A length of whole seconds.
    #[must_use]
    pub const fn secs(seconds: u64) -> Millis {
        Millis(seconds.saturating_mul(1000))
    }

    /// Printed as Go prints a duration of whole seconds: `10s`, `1m20s`, `5m0s`.
    ///
    /// Kubernetes' back-off messages carry this form (rule BKF-7); fractions of a second are dropped.
    #[must_use]
    pub fn go(self) -> String {
        let seconds = self.0 / 1000;
        let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if h > 0 {
            format!("{h}h{m}m{s}s")
        } else if m > 0 {
            format!("{m}m{s}s")
        } else {
            format!("{s}s")
        }
    }
}
