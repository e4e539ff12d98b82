//! When a switch in `auto` takes a store out of the path, and when it brings it back.

use std::time::Duration;

/// When an automatic switch flips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoSwitchSettings {
    /// How long the breaker is not closed, or the lag is high, before the store is taken out.
    pub trip_after: Duration,
    /// Records of lag from which it is high, at least 1; `None` = the lag does not count.
    pub lag_high: Option<u64>,
    /// Records of lag up to which it is low again; `None` = half of `lag_high`.
    pub lag_low: Option<u64>,
    /// The least time between two flips, and how long all has to be good before the store comes back.
    pub dwell: Duration,
}

impl Default for AutoSwitchSettings {
    /// Out after 10 s without a closed breaker, back after 30 s of good readings; the lag does not count.
    fn default() -> Self {
        let (trip_after, dwell) = (Duration::from_secs(10), Duration::from_secs(30));
        Self { trip_after, lag_high: None, lag_low: None, dwell }
    }
}

/// What is known of a store at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Whether its breaker is closed.
    pub breaker_closed: bool,
    /// Records that wait for it; `None` = could not be read: what was known last holds.
    pub lag: Option<u64>,
}

/// A change of an automatic switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flip {
    /// Whether the store is out of the path now.
    pub on: bool,
    /// Why, for the log and the audit record.
    pub reason: String,
}

/// Decides for a switch in `auto` from regular readings: several within `trip_after`.
///
/// It goes on when the readings have been bad for `trip_after`: the breaker not closed, or the lag high. It goes off
/// when all readings have been good for `dwell`: the breaker closed and the lag low. Two flips are never nearer than
/// `dwell`.
///
/// While it is on, the caller still lets the breaker's half-open probes through: otherwise the breaker never closes,
/// and the store never comes back.
#[derive(Debug, Clone)]
pub struct AutoSwitch {
    settings: AutoSwitchSettings,
    now: Duration,
    on: bool,
    flipped_at: Option<Duration>,
    lag: Option<u64>,
    /// Since when every reading was bad, if the last one was.
    bad_since: Option<Duration>,
    /// Since when every reading was good, if the last one was.
    good_since: Option<Duration>,
}

impl AutoSwitch {
    /// A switch that is off and has seen nothing.
    pub fn new(settings: AutoSwitchSettings) -> Self {
        Self {
            settings,
            now: Duration::ZERO,
            on: false,
            flipped_at: None,
            lag: None,
            bad_since: None,
            good_since: None,
        }
    }

    /// Whether it holds the store out of the path.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Takes over a position that it did not choose: of an operator, or of the time before a restart. Counts as a
    /// flip, so that nothing is changed for a dwell.
    pub fn adopt(&mut self, now: Duration, on: bool) {
        self.now = self.now.max(now);
        self.flip(on);
    }

    /// Takes a reading, and says whether the switch flips for it.
    pub fn observe(&mut self, now: Duration, reading: Reading) -> Option<Flip> {
        self.now = self.now.max(now);
        let now = self.now;
        self.lag = reading.lag.or(self.lag);
        let bad = !reading.breaker_closed || self.lag_is_high();
        let good = reading.breaker_closed && self.lag_is_low();
        self.bad_since = bad.then(|| self.bad_since.unwrap_or(now));
        self.good_since = good.then(|| self.good_since.unwrap_or(now));

        let settled = self.flipped_at.is_none_or(|at| now - at >= self.settings.dwell);
        let (since, long) = match self.on {
            false => (self.bad_since, self.settings.trip_after),
            true => (self.good_since, self.settings.dwell),
        };
        let lasted = now - since?;
        if !settled || lasted < long {
            return None;
        }
        let reason = match self.on {
            false => self.why_on(reading.breaker_closed, lasted),
            true => self.why_off(lasted),
        };
        self.flip(!self.on);
        Some(Flip { on: self.on, reason })
    }

    fn flip(&mut self, on: bool) {
        self.on = on;
        self.flipped_at = Some(self.now);
        (self.bad_since, self.good_since) = (None, None);
    }

    fn lag_is_high(&self) -> bool {
        self.high_mark().zip(self.lag).is_some_and(|(high, lag)| lag >= high)
    }

    /// A lag that was never read speaks neither way.
    fn lag_is_low(&self) -> bool {
        self.low_mark().zip(self.lag).is_none_or(|(low, lag)| lag <= low)
    }

    /// At least 1: no lag at all is never high.
    fn high_mark(&self) -> Option<u64> {
        self.settings.lag_high.map(|high| high.max(1))
    }

    /// Below the high mark, whatever the settings say: no lag is both.
    fn low_mark(&self) -> Option<u64> {
        let high = self.high_mark()?;
        Some(self.settings.lag_low.unwrap_or(high / 2).min(high - 1))
    }

    fn why_on(&self, breaker_closed: bool, lasted: Duration) -> String {
        let mut causes = Vec::new();
        if !breaker_closed {
            causes.push("the breaker is not closed".to_owned());
        }
        if let (true, Some(high), Some(lag)) = (self.lag_is_high(), self.high_mark(), self.lag) {
            causes.push(format!("{lag} records wait, {high} are too many"));
        }
        format!("{}; trouble for {:.0} s", causes.join(" and "), lasted.as_secs_f64())
    }

    fn why_off(&self, lasted: Duration) -> String {
        let lag = match self.low_mark().zip(self.lag) {
            Some((low, _)) => format!(" and at most {low} records waited"),
            None => String::new(),
        };
        format!("the breaker was closed{lag} for {:.0} s", lasted.as_secs_f64())
    }
}
