//! One question to `governor`, at a time that is given.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::{Exceeded, Limit};

/// When everything that was let pass is earned again, in nanoseconds since the fixed moment from which all times here
/// count: all that there is to remember.
pub(super) type Due = u64;

/// Brings a state under a limit that may have been changed since: nobody owes more than it lets pass at once. Kept, as
/// otherwise what is owed would grow with the time that somebody waits.
pub(super) fn settle(limit: Limit, due: &mut Due, now: Duration) {
    let burst = interval(limit).saturating_mul(u64::from(limit.burst()));
    *due = (*due).min(nanos(now).saturating_add(burst));
}

/// What a state that is [settled](settle) becomes when one more passes at `now`; it is `None` where nobody has passed yet.
///
/// # Errors
/// [`Exceeded`]; the state stays as it is.
pub(super) fn pass(limit: Limit, due: Option<Due>, now: Duration) -> Result<Due, Exceeded> {
    let quota = Quota::with_period(Duration::from_nanos(interval(limit))).expect("an interval is never zero");
    let quota = quota.allow_burst(NonZeroU32::new(limit.burst()).expect("a burst is never zero"));
    let now = nanos(now);
    let slot = Slot { before: due, after: Cell::new(0) };
    // The limiter counts from the time at which it is made, the state from the beginning.
    let limiter = RateLimiter::<_, _, _, NoOpMiddleware<Nanos>>::new(quota, slot, At(Cell::new(0)));
    limiter.clock().0.set(now);
    match limiter.check() {
        Ok(()) => Ok(limiter.into_state_store().after.get()),
        Err(not_until) => {
            let wait = Duration::from(not_until.earliest_possible().duration_since(Nanos::from(now)));
            Err(Exceeded { limit, wait: wait.max(Duration::from_nanos(1)) })
        }
    }
}

/// Time as it is stored.
pub(super) fn nanos(now: Duration) -> u64 {
    // A century, so that nothing that is added to it overflows.
    const MOST: u64 = 100 * 365 * 86_400 * 1_000_000_000;
    u64::try_from(now.as_nanos()).unwrap_or(MOST).min(MOST)
}

/// Nanoseconds between two calls, rounded up so that no more pass than may.
fn interval(limit: Limit) -> u64 {
    1_000_000_000_u64.div_ceil(u64::from(limit.per_second()))
}

/// The clock of one question.
struct At(Cell<u64>);

impl Clock for At {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.get().into()
    }
}

/// The state of one question.
struct Slot {
    before: Option<Due>,
    after: Cell<Due>,
}

impl StateStore for Slot {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, after) = f(self.before.map(Nanos::from))?;
        self.after.set(after.as_u64());
        Ok(outcome)
    }
}
