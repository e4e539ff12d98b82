//! The budget of retries beside fresh rows.

use std::time::Duration;

use super::rate::{HINT_MAX, PARTS, Rate, earned, time_for};

/// How much of the work may be retries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareSettings {
    /// Share of all rows that may be retries while fresh rows flow; 0 to 0.99.
    pub share: f64,
    /// Retries a second that may go however little is fresh, so that a slow topology still works off its backlog.
    pub floor_per_second: u64,
    /// Retries a second that are never exceeded.
    pub max_per_second: u64,
    /// Retries that may go at once after a time in which none was wanted; at least 1.
    pub burst: u64,
    /// From when without a fresh row only `max_per_second` binds.
    pub idle_after: Duration,
}

impl Default for ShareSettings {
    /// 20 %, at least 100 and at most 10,000 a second, 1,000 at once, idle after a second.
    fn default() -> Self {
        Self {
            share: 0.2,
            floor_per_second: 100,
            max_per_second: 10_000,
            burst: 1_000,
            idle_after: Duration::from_secs(1),
        }
    }
}

/// Says how many retry rows may go, so that retries never take more than their share from fresh rows.
///
/// A fresh row earns `share / (1 - share)` of a retry. So over any time `t` in which fresh rows flow, the retries are
/// at most `share / (1 - share) · fresh + floor_per_second · t + burst`; time past `idle_after` counts with
/// `max_per_second` in the place of the floor. It starts empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    settings: ShareSettings,
    parts_per_row: u128,
    parts: u128,
    max: Rate,
    /// Up to when time has earned its parts; `None` before the first call.
    at: Option<Duration>,
    fresh_at: Duration,
}

impl Share {
    /// A budget to which nothing has happened.
    pub fn new(settings: ShareSettings) -> Self {
        let share = settings.share.clamp(0.0, 0.99);
        let burst = settings.burst.max(1);
        Self {
            settings: ShareSettings { burst, ..settings },
            parts_per_row: (share / (1.0 - share) * PARTS as f64) as u128,
            parts: 0,
            max: Rate::new(settings.max_per_second, burst),
            at: None,
            fresh_at: Duration::ZERO,
        }
    }

    /// Tells that `n` fresh rows went.
    pub fn fresh(&mut self, now: Duration, n: usize) {
        let now = self.advance(now);
        if n > 0 {
            self.fresh_at = now;
            self.earn(self.parts_per_row.saturating_mul(n as u128));
        }
    }

    /// How many of `want` retry rows may go now. They count as gone.
    pub fn allow(&mut self, now: Duration, want: usize) -> usize {
        let now = self.advance(now);
        let earned = usize::try_from(self.parts / PARTS).unwrap_or(usize::MAX);
        let below_max = usize::try_from(self.max.available(now)).unwrap_or(usize::MAX);
        let n = want.min(earned).min(below_max);
        self.parts -= n as u128 * PARTS;
        self.max.take(now, n as u64).expect("no more is taken than is available");
        n
    }

    /// How long until a retry row may go if nothing fresh comes: at most a second, zero when one may go now.
    pub fn wait(&mut self, now: Duration) -> Duration {
        let now = self.advance(now);
        let idle_in = self.idle_at().saturating_sub(now);
        let missing = PARTS.saturating_sub(self.parts);
        let earned = match (missing, idle_in.is_zero()) {
            (0, _) => Duration::ZERO,
            (_, true) => time_for(missing, self.settings.max_per_second),
            // At the latest when it gets idle there is another answer.
            (_, false) => time_for(missing, self.settings.floor_per_second).min(idle_in),
        };
        let below_max = match self.max.available(now) {
            0 => time_for(PARTS, self.settings.max_per_second),
            _ => Duration::ZERO,
        };
        earned.max(below_max).min(HINT_MAX)
    }

    /// Lets the time up to `now` earn: the floor until it is idle, then the most. Gives the latest time.
    fn advance(&mut self, now: Duration) -> Duration {
        let Some(at) = self.at else {
            (self.at, self.fresh_at) = (Some(now), now);
            return now;
        };
        let now = now.max(at);
        let turn = self.idle_at().clamp(at, now);
        self.earn(earned(turn - at, self.settings.floor_per_second));
        self.earn(earned(now - turn, self.settings.max_per_second));
        self.at = Some(now);
        now
    }

    fn idle_at(&self) -> Duration {
        self.fresh_at.saturating_add(self.settings.idle_after)
    }

    fn earn(&mut self, parts: u128) {
        let full = u128::from(self.settings.burst) * PARTS;
        self.parts = self.parts.saturating_add(parts).min(full);
    }
}
