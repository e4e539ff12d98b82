//! Where a retry waits, how long, and when it is the last.

use std::time::Duration;

/// The levels of a retry queue.
#[derive(Debug, Clone, PartialEq)]
pub struct BackoffSettings {
    /// The delay of each level, the first retry's first. Without any, nothing is retried.
    pub delays: Vec<Duration>,
    /// Retries of one record before it is given up; beyond the last level, that level again.
    pub attempts: u32,
    /// Share of its delay by which a retry may be later, 0 to 1, so that what failed together does not come back
    /// together.
    pub jitter: f64,
}

impl Default for BackoffSettings {
    /// 1 s, 10 s, 1 min, 10 min; 8 retries, which take 51 minutes; 20 % jitter.
    fn default() -> Self {
        let delays = [1, 10, 60, 600].map(Duration::from_secs).to_vec();
        Self { delays, attempts: 8, jitter: 0.2 }
    }
}

/// The schedule of the retries of a record: a function of its attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    settings: BackoffSettings,
}

impl Levels {
    /// The schedule of these settings.
    pub fn new(settings: BackoffSettings) -> Self {
        Self { settings }
    }

    /// The delay of each level, by index.
    pub fn delays(&self) -> &[Duration] {
        &self.settings.delays
    }

    /// The level in which retry `attempt` waits, counted from 1; `None` when the record is to be given up.
    pub fn level_of(&self, attempt: u32) -> Option<usize> {
        let last = self.settings.delays.len().checked_sub(1)?;
        let level = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        (attempt <= self.settings.attempts).then_some(level.min(last))
    }

    /// When retry `attempt` is due, in milliseconds since 1970: never earlier than its delay from now, later by as
    /// much of the jitter as `entropy` says. The attempts past the last wait like the last one.
    pub fn due(&self, attempt: u32, now_unix_ms: i64, entropy: u64) -> i64 {
        let Some(last) = self.settings.delays.len().checked_sub(1) else {
            return now_unix_ms;
        };
        let level = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX).min(last);
        let (delay, spread) = (self.delay_ms(level), self.spread_ms(level));
        // Uniform over 0..=spread.
        let late = (u128::from(entropy) * (u128::from(spread) + 1)) >> 64;
        let wait = u128::from(delay) + late;
        now_unix_ms.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX))
    }

    /// The longest that a retry waits in a level, jitter included: a wait beyond it is a clock that is wrong.
    pub fn longest_wait(&self, level: usize) -> Duration {
        if level >= self.settings.delays.len() {
            return Duration::ZERO;
        }
        Duration::from_millis(self.delay_ms(level).saturating_add(self.spread_ms(level)))
    }

    /// Rounded up: a retry is never early.
    fn delay_ms(&self, level: usize) -> u64 {
        u64::try_from(self.settings.delays[level].as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    fn spread_ms(&self, level: usize) -> u64 {
        (self.delay_ms(level) as f64 * self.settings.jitter.clamp(0.0, 1.0)) as u64
    }
}
