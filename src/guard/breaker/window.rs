//! The calls that count.

use std::collections::VecDeque;
use std::time::Duration;

use super::settings::BreakerSettings;

#[derive(Debug, Clone, Copy)]
struct Call {
    at: Duration,
    failed: bool,
    slow: bool,
}

/// The last calls, bounded by number and by age.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    calls: VecDeque<Call>,
    failed: usize,
    slow: usize,
}

impl Window {
    pub(super) fn clear(&mut self) {
        self.calls.clear();
        (self.failed, self.slow) = (0, 0);
    }

    /// Adds a call, and forgets those that no longer count.
    pub(super) fn push(&mut self, settings: &BreakerSettings, at: Duration, failed: bool, slow: bool) {
        while self.calls.len() >= settings.window_calls.max(1)
            || self.calls.front().is_some_and(|oldest| at - oldest.at >= settings.window)
        {
            let Some(oldest) = self.calls.pop_front() else { break };
            self.failed -= usize::from(oldest.failed);
            self.slow -= usize::from(oldest.slow);
        }
        self.calls.push_back(Call { at, failed, slow });
        self.failed += usize::from(failed);
        self.slow += usize::from(slow);
    }

    /// Why the calls that count are too bad; `None` when they are not, or too few to say.
    pub(super) fn trouble(&self, settings: &BreakerSettings) -> Option<String> {
        let calls = self.calls.len();
        if calls < settings.minimum_calls.min(settings.window_calls.max(1)) {
            return None;
        }
        let (window, slow_call) = (settings.window.as_secs_f64(), settings.slow_call.as_secs_f64());
        if reaches(self.failed, calls, settings.failure_rate) {
            return Some(format!("{} of {calls} calls failed in {window} s", self.failed));
        }
        reaches(self.slow, calls, settings.slow_call_rate)
            .then(|| format!("{} of {calls} calls took {slow_call} s or longer in {window} s", self.slow))
    }
}

/// Whether `part` of `whole` is a share of at least `rate`.
pub(super) fn reaches(part: usize, whole: usize, rate: f64) -> bool {
    part as f64 >= rate * whole as f64
}
