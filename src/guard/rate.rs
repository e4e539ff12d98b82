//! A bound on how many may pass in a time.

use std::time::Duration;

/// The longest wait that is asked for at once, so that a caller notices soon when its limit was changed.
pub(super) const HINT_MAX: Duration = Duration::from_secs(1);

/// Parts of one token: a token a second is a part a nanosecond, so no rate is rounded.
pub(super) const PARTS: u128 = 1_000_000_000;

/// A token bucket. It starts full.
///
/// Over any time `t` it lets at most `burst + per_second · t` pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    per_second: u64,
    burst: u64,
    parts: u128,
    at: Duration,
}

impl Rate {
    /// A bucket of `burst` tokens that gets `per_second` new ones; both may be zero, and nothing passes then but the
    /// first burst.
    pub fn new(per_second: u64, burst: u64) -> Self {
        Self { per_second, burst, parts: u128::from(burst) * PARTS, at: Duration::ZERO }
    }

    /// Takes `n` tokens, all or none.
    ///
    /// # Errors
    /// How long to wait before asking again: until there are enough, at most a second, never zero. More than `burst`
    /// at once never passes: ask for parts of it.
    pub fn take(&mut self, now: Duration, n: u64) -> Result<(), Duration> {
        self.refill(now);
        let cost = u128::from(n) * PARTS;
        if cost <= self.parts {
            self.parts -= cost;
            return Ok(());
        }
        Err(time_for(cost - self.parts, self.per_second))
    }

    /// How many may pass now.
    pub fn available(&mut self, now: Duration) -> u64 {
        self.refill(now);
        u64::try_from(self.parts / PARTS).expect("a bucket holds no more than its burst")
    }

    fn refill(&mut self, now: Duration) {
        let gone = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let full = u128::from(self.burst) * PARTS;
        self.parts = self.parts.saturating_add(earned(gone, self.per_second)).min(full);
    }
}

/// The parts that come in a time.
pub(super) fn earned(time: Duration, per_second: u64) -> u128 {
    time.as_nanos().saturating_mul(u128::from(per_second))
}

/// The time in which parts come, at most [`HINT_MAX`].
pub(super) fn time_for(parts: u128, per_second: u64) -> Duration {
    if per_second == 0 {
        return HINT_MAX;
    }
    let nanos = parts.div_ceil(u128::from(per_second)).min(HINT_MAX.as_nanos());
    Duration::from_nanos(u64::try_from(nanos).expect("a second fits"))
}
