//! When a breaker opens, and how it closes.

use std::time::Duration;

/// When a breaker opens, and how it closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerSettings {
    /// Share of failed calls in the window from which it opens, above 0 to 1; above 1 it never opens for them.
    pub failure_rate: f64,
    /// Share of slow calls in the window from which it opens; above 1 it never opens for them.
    pub slow_call_rate: f64,
    /// From how long on a call is slow, whatever its outcome.
    pub slow_call: Duration,
    /// Age from which a call no longer counts.
    pub window: Duration,
    /// Calls that are remembered; older ones no longer count.
    pub window_calls: usize,
    /// Calls in the window below which it does not open: few calls say little. At most `window_calls` counts.
    pub minimum_calls: usize,
    /// How long it is open the first time.
    pub open_for: Duration,
    /// How long it is open at most: each opening without a full recovery since the last one doubles the time.
    pub open_for_max: Duration,
    /// Calls that may be under way at once while it is half-open; at least 1.
    pub probes: usize,
    /// Probes that have to succeed before it closes; at least 1.
    pub probe_successes: u32,
    /// When a probe without an outcome counts as failed.
    pub probe_timeout: Duration,
    /// After it closed, 10 % of the calls are admitted for this long, then 50 %, then all; zero admits all at once.
    pub ramp_step: Duration,
}

impl Default for BreakerSettings {
    /// Opens when, of at least 10 and at most 1,000 calls in 10 s, half failed or 80 % took a second. Open for 5 s,
    /// doubling up to 60 s; one probe at a time, of at most 5 s; closes after 3 in a row, with a ramp of 5 s steps.
    fn default() -> Self {
        Self {
            failure_rate: 0.5,
            slow_call_rate: 0.8,
            slow_call: Duration::from_secs(1),
            window: Duration::from_secs(10),
            window_calls: 1_000,
            minimum_calls: 10,
            open_for: Duration::from_secs(5),
            open_for_max: Duration::from_secs(60),
            probes: 1,
            probe_successes: 3,
            probe_timeout: Duration::from_secs(5),
            ramp_step: Duration::from_secs(5),
        }
    }
}

impl BreakerSettings {
    /// How long the breaker is open after `before` openings without a full recovery.
    pub(super) fn open_for(&self, before: u32) -> Duration {
        let doubled = self.open_for.saturating_mul(2u32.saturating_pow(before));
        doubled.min(self.open_for_max.max(self.open_for))
    }
}
