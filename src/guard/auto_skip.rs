//! When a spout that is too far behind skips ahead by itself.

use std::time::Duration;

/// From which lag on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoSkipSettings {
    /// Records of lag from which it is too far behind; `None` = they do not count.
    pub records: Option<u64>,
    /// Age of the oldest record that is not processed, from which it is too far behind; `None` = it does not count.
    pub behind: Option<Duration>,
    /// How long it has to be too far behind at every reading.
    pub dwell: Duration,
    /// The least time between two skips.
    pub again_after: Duration,
}

impl Default for AutoSkipSettings {
    /// Never; after 30 s, and 10 min after the last time, once a bound is given.
    fn default() -> Self {
        let (dwell, again_after) = (Duration::from_secs(30), Duration::from_secs(600));
        Self { records: None, behind: None, dwell, again_after }
    }
}

/// Decides from regular readings of the lag.
///
/// It says to skip when every reading for `dwell` was past a bound, and the last skip is `again_after` ago. A reading that failed is none: it neither begins nor ends the time.
#[derive(Debug, Clone)]
pub struct AutoSkip {
    settings: AutoSkipSettings,
    /// Since when every reading was past a bound.
    since: Option<Duration>,
    last: Option<Duration>,
}

impl AutoSkip {
    /// One that has seen nothing.
    pub fn new(settings: AutoSkipSettings) -> Self {
        Self { settings, since: None, last: None }
    }

    /// Whether it can ever say so.
    pub fn is_on(&self) -> bool {
        self.settings.records.is_some() || self.settings.behind.is_some()
    }

    /// It has been skipped, this long ago.
    pub fn skipped(&mut self, now: Duration, ago: Duration) {
        self.last = self.last.max(now.checked_sub(ago).or(self.last));
    }

    /// Whether a lag of so many records, the oldest of them of this age, is past a bound.
    pub fn is_too_far(&self, records: u64, behind: Duration) -> bool {
        self.settings.records.is_some_and(|most| records > most)
            || self.settings.behind.is_some_and(|longest| behind > longest)
    }

    /// Takes a reading; why to skip now, if so. Without a [`skipped`](Self::skipped) afterwards it says so again after
    /// another dwell.
    pub fn observe(&mut self, now: Duration, records: u64, behind: Duration) -> Option<String> {
        if !self.is_too_far(records, behind) {
            self.since = None;
            return None;
        }
        let AutoSkipSettings { records: most, behind: longest, dwell, again_after } = self.settings;
        let since = *self.since.get_or_insert(now);
        let lasted = now.saturating_sub(since);
        let settled = self.last.is_none_or(|last| now.saturating_sub(last) >= again_after);
        if lasted < dwell || !settled {
            return None;
        }
        self.since = None;
        let bounds = [
            most.filter(|most| records > *most).map(|most| format!("{records} records behind, more than {most}")),
            longest
                .filter(|longest| behind > *longest)
                .map(|longest| format!("{} s behind, more than {}", behind.as_secs(), longest.as_secs())),
        ];
        let bounds: Vec<String> = bounds.into_iter().flatten().collect();
        Some(format!("{} for {} s", bounds.join(" and "), lasted.as_secs()))
    }
}
