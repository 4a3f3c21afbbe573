//! When to try again: one engine for every verb. Pure: time and luck are arguments.
//!
//! First try at once; delays grow ×1.6 up to a cap, ±20 % jitter; a server's `Retry-After` is obeyed; at most 5 tries
//! a second per target and 50 per process; the last try happens at the deadline itself, not before.

use std::time::{Duration, Instant};

use crate::miss::Class;

/// How patient to be with one kind of work.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The delay after the first miss.
    first: Duration,
    /// The longest delay in the first minute.
    cap: Duration,
    /// The longest delay after that.
    late_cap: Duration,
    /// How long one try may take.
    pub attempt: Duration,
}

impl Pace {
    /// For probes that cost the other side next to nothing.
    pub const CHEAP: Pace = Pace {
        first: Duration::from_millis(50),
        cap: Duration::from_millis(500),
        late_cap: Duration::from_secs(1),
        attempt: Duration::from_secs(2),
    };

    /// For a question that the other side holds open until it has an answer.
    pub const HELD_OPEN: Pace = Pace { attempt: Duration::from_secs(30), ..Pace::CHEAP };

    /// For logins, paid calls and downloads.
    pub const COSTLY: Pace = Pace {
        first: Duration::from_millis(250),
        cap: Duration::from_secs(5),
        late_cap: Duration::from_secs(5),
        attempt: Duration::from_secs(5),
    };
}

/// A target that was missed for this long is no longer probed as often.
const EARLY: Duration = Duration::from_secs(60);

/// What the last try at the deadline may take: enough for an answer that is there, too short to be late.
const LAST_CHANCE: Duration = Duration::from_millis(200);

/// The next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try at this instant; give up the try after this long.
    Try {
        /// When.
        at: Instant,
        /// For how long at most.
        limit: Duration,
    },
    /// No more tries; the deadline is at this instant.
    Over {
        /// When to say so.
        at: Instant,
    },
}

/// The tries at one target.
#[derive(Debug, Clone)]
pub struct Schedule {
    pace: Pace,
    started: Instant,
    deadline: Option<Instant>,
    delay: Duration,
    budget: Bucket,
    /// Tries so far.
    pub attempts: u32,
    last: bool,
    cut_short: bool,
}

impl Schedule {
    /// Starts now, ends at `deadline` if there is one.
    pub fn new(pace: Pace, started: Instant, deadline: Option<Instant>) -> Schedule {
        Schedule {
            pace,
            started,
            deadline,
            delay: pace.first,
            budget: Bucket::PER_TARGET,
            attempts: 0,
            last: false,
            cut_short: false,
        }
    }

    /// The first try, or the first after a success.
    pub fn begin(&mut self, now: Instant) -> Next {
        self.delay = self.pace.first;
        self.attempt(now, now)
    }

    /// The try after a miss. `luck` is in 0..1.
    pub fn after(&mut self, now: Instant, class: Class, luck: f64) -> Next {
        let wait = match class {
            Class::Fatal => return Next::Over { at: now },
            Class::SlowDown(Some(wait)) => {
                let forbidden = self.deadline.is_some_and(|deadline| now + wait > deadline);
                if forbidden {
                    return Next::Over { at: self.deadline.unwrap_or(now) };
                }
                wait
            }
            Class::SlowDown(None) => jitter(self.grow(now).max(Duration::from_secs(1)), luck),
            Class::Retry => jitter(self.grow(now), luck),
        };
        self.attempt(now, now + wait)
    }

    /// Another look at what is there, after this long.
    pub fn again(&mut self, now: Instant, wait: Duration) -> Next {
        self.delay = self.pace.first;
        self.attempt(now, now + wait)
    }

    /// A look right now, whatever the budget says: the one before the gate opens.
    pub fn last_look(&mut self, now: Instant) -> Next {
        let left = self.deadline.map_or(self.pace.attempt, |deadline| deadline.saturating_duration_since(now));
        self.attempts = self.attempts.saturating_add(1);
        Next::Try { at: now, limit: self.pace.attempt.min(left).max(LAST_CHANCE) }
    }

    /// Whether the deadline left the last try less time than tries have: it could not find out much.
    pub fn cut_short(&self) -> bool {
        self.cut_short
    }

    fn grow(&mut self, now: Instant) -> Duration {
        let cap = if now.duration_since(self.started) > EARLY { self.pace.late_cap } else { self.pace.cap };
        let delay = self.delay.min(cap);
        self.delay = delay.mul_f64(1.6).min(cap);
        delay
    }

    fn attempt(&mut self, now: Instant, wanted: Instant) -> Next {
        if self.last {
            return Next::Over { at: now };
        }
        let at = wanted.max(now + self.budget.wait(now));
        let (at, limit) = match self.deadline {
            Some(deadline) if at >= deadline => {
                self.last = true;
                (deadline.max(now), LAST_CHANCE)
            }
            Some(deadline) => (at, self.pace.attempt.min(deadline - at).max(LAST_CHANCE)),
            None => (at, self.pace.attempt),
        };
        self.cut_short = limit < self.pace.attempt;
        self.budget.take(at);
        self.attempts = self.attempts.saturating_add(1);
        Next::Try { at, limit }
    }
}

fn jitter(delay: Duration, luck: f64) -> Duration {
    delay.mul_f64(0.8 + 0.4 * luck.clamp(0.0, 1.0))
}

/// Tokens that come back at a steady rate.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: f64,
    size: f64,
    tokens: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// What one target has to bear.
    pub const PER_TARGET: Bucket = Bucket { rate: 5.0, size: 5.0, tokens: 5.0, at: None };
    /// What one process may ask of the network.
    pub const PER_PROCESS: Bucket = Bucket { rate: 50.0, size: 50.0, tokens: 50.0, at: None };

    /// How long until a token is there.
    pub fn wait(&mut self, now: Instant) -> Duration {
        self.refill(now);
        if self.tokens >= 1.0 { Duration::ZERO } else { Duration::from_secs_f64((1.0 - self.tokens) / self.rate) }
    }

    /// Takes a token; it may be lent from the future.
    pub fn take(&mut self, now: Instant) {
        self.refill(now);
        self.tokens -= 1.0;
    }

    fn refill(&mut self, now: Instant) {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.tokens = (self.tokens + since.as_secs_f64() * self.rate).min(self.size);
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }
}

/// A number in 0..1 that differs between processes, so that many pods started together do not stay together.
pub fn luck() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let hash = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests;
