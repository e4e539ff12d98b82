//! The load that something gets when it comes back.

use std::time::Duration;

/// Percent of the load, step by step.
const STEPS: [u32; 3] = [10, 50, 100];

/// A share that grows by time: 10 %, after one step 50 %, after two all.
///
/// What comes back from an outage has cold caches and empty pools; the whole load at once takes it down again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp {
    started: Duration,
    step: Duration,
}

impl Ramp {
    /// A ramp that starts at `started` with steps of `step`; zero gives all at once.
    pub fn new(started: Duration, step: Duration) -> Self {
        Self { started, step }
    }

    /// The share of the load that may go, above 0 and at most 1.
    pub fn share(&self, now: Duration) -> f64 {
        f64::from(self.percent(now)) / 100.0
    }

    /// The same in whole percent, for counting without rounding.
    pub fn percent(&self, now: Duration) -> u32 {
        STEPS[self.index(now)]
    }

    /// Whether all of the load may go.
    pub fn is_over(&self, now: Duration) -> bool {
        self.index(now) + 1 == STEPS.len()
    }

    /// How long until the share grows; zero when it is whole.
    pub fn next_step_in(&self, now: Duration) -> Duration {
        if self.is_over(now) {
            return Duration::ZERO;
        }
        let steps = self.index(now) as u32 + 1;
        self.started.saturating_add(self.step.saturating_mul(steps)).saturating_sub(now)
    }

    fn index(&self, now: Duration) -> usize {
        let gone = now.saturating_sub(self.started);
        (1..STEPS.len() as u32).take_while(|steps| gone >= self.step.saturating_mul(*steps)).count()
    }
}
