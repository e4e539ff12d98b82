//! The rate at which parked records come back.

use std::time::Duration;

use crate::guard::{Ramp, Rate};

/// Lets a tenth of the rate through, then half, then all of it, from when its sink takes rows again.
#[derive(Debug)]
pub(super) struct Drain {
    per_second: u64,
    step: Duration,
    /// The ramp since the sink takes rows, and the rate of its present step.
    open: Option<(Ramp, u32, Rate)>,
}

impl Drain {
    pub(super) fn new(per_second: u64, step: Duration) -> Self {
        Self { per_second, step, open: None }
    }

    /// The sink takes nothing: the ramp begins anew once it does.
    pub(super) fn shut(&mut self) {
        self.open = None;
    }

    /// How many of `want` may go now, and when there may be more.
    pub(super) fn allow(&mut self, now: Duration, want: usize) -> (usize, Duration) {
        let per_second = self.per_second;
        let at = |percent: u32| (per_second * u64::from(percent) / 100).max(1);
        let rate = |percent: u32| Rate::new(at(percent), (at(percent) / 10).max(1));
        let (ramp, percent, bucket) = self.open.get_or_insert_with(|| {
            let ramp = Ramp::new(now, self.step);
            (ramp, ramp.percent(now), rate(ramp.percent(now)))
        });
        if *percent != ramp.percent(now) {
            *percent = ramp.percent(now);
            *bucket = rate(*percent);
        }
        let allowed = want.min(usize::try_from(bucket.available(now)).unwrap_or(usize::MAX));
        match bucket.take(now, allowed as u64) {
            Ok(()) if allowed == want => (allowed, Duration::ZERO),
            // A tenth of a second's worth comes back at once.
            Ok(()) => (allowed, Duration::from_millis(100)),
            Err(wait) => (0, wait),
        }
    }
}
