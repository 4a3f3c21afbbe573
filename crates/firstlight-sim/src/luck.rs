//! What is drawn from the seed? Every choice of a life comes from here.

use firstlight_pod::Millis;

/// A stream of choices. Each part of the world draws from its own, so that a choice more in one part does not change
/// all others.
#[derive(Debug, Clone)]
pub(crate) struct Luck(fastrand::Rng);

impl Luck {
    /// The stream of this part of the world, in the life of this seed.
    pub(crate) fn of(seed: u64, part: u64) -> Luck {
        Luck(fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ part))
    }

    /// Less than `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.u64(..end)
    }

    /// Whether something happens that does so many times in a thousand.
    pub(crate) fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of these, which are not none.
    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.0.usize(..of.len())]
    }

    /// How long something takes that takes about so long: mostly less, seldom much more.
    pub(crate) fn about(&mut self, usual: Millis) -> Millis {
        let most = if self.happens(30) { usual.0.saturating_mul(40) } else { usual.0 };
        Millis(self.below(most.max(1)))
    }
}
