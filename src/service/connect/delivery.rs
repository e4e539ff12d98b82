//! `[delivery]`, and what a sink has for itself.

use std::time::Duration;

use serde::Deserialize;

use super::{set, set_ms};
use crate::delivery::{DeliverySettings, SinkSettings};
use crate::guard::{BreakerSettings, Mode, PressureSettings};
use crate::topology::{Error, Result};

/// Milliseconds between two questions to a server, how busy it is, unless the configuration says otherwise.
const SAMPLE_MS: u64 = 1_000;

/// What surrounds all sinks; see [`DeliverySettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct DeliveryConfig {
    pub levels_ms: Option<Vec<u64>>,
    pub attempts: Option<u32>,
    pub jitter: Option<f64>,
    pub partitions: Option<u32>,
    pub retention_hours: Option<u64>,
    pub retry_share: Option<f64>,
    pub retry_floor_per_second: Option<u64>,
    pub retry_max_per_second: Option<u64>,
    pub drain_per_second: Option<u64>,
    pub ramp_step_ms: Option<u64>,
    pub look_interval_ms: Option<u64>,
}

/// What one sink has for itself; see [`SinkSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct SinkConfig {
    /// Position of its switch while no operator has set it: `off`, `on` or `auto`.
    pub switch: Option<Mode>,
    pub timeout_ms: Option<u64>,
    pub breaker: BreakerConfig,
    pub auto_trip_after_ms: Option<u64>,
    pub auto_lag_high: Option<u64>,
    pub auto_lag_low: Option<u64>,
    pub auto_dwell_ms: Option<u64>,
    /// Slows down, then pauses the spout, when the store is under load; not there: never.
    pub pressure: Option<PressureConfig>,
}

/// See [`BreakerSettings`](crate::guard::BreakerSettings).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct BreakerConfig {
    pub failure_rate: Option<f64>,
    pub slow_call_rate: Option<f64>,
    pub slow_call_ms: Option<u64>,
    pub window_ms: Option<u64>,
    pub window_calls: Option<usize>,
    pub minimum_calls: Option<usize>,
    pub open_for_ms: Option<u64>,
    pub open_for_max_ms: Option<u64>,
    pub probes: Option<usize>,
    pub probe_successes: Option<u32>,
    pub probe_timeout_ms: Option<u64>,
    pub ramp_step_ms: Option<u64>,
}

/// See [`PressureSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct PressureConfig {
    pub latency_high_ms: Option<u64>,
    pub latency_low_ms: Option<u64>,
    pub slow_step_ms: Option<u64>,
    pub slow_max_ms: Option<u64>,
    pub step_every_ms: Option<u64>,
    pub smoothing: Option<f64>,
    /// 0: they do not count.
    pub threads_running_high: Option<u64>,
    pub threads_running_low: Option<u64>,
    /// 0: it does not count.
    pub replication_lag_high_ms: Option<u64>,
    pub replication_lag_low_ms: Option<u64>,
    /// How often the server is asked how busy it is; 1,000 ms.
    pub sample_ms: Option<u64>,
}

impl DeliveryConfig {
    /// The settings, with what does not stand here from elsewhere in the configuration.
    ///
    /// # Errors
    /// The first value that bounds nothing or cannot be meant, by its key.
    pub fn settings(&self, dead_letters: &str, replication: u16) -> Result<DeliverySettings> {
        let mut settings = DeliverySettings::new(dead_letters);
        settings.replication = replication;
        if let Some(levels) = &self.levels_ms {
            settings.levels.delays = levels.iter().map(|ms| Duration::from_millis(*ms)).collect();
        }
        set(&mut settings.levels.attempts, self.attempts);
        set(&mut settings.levels.jitter, self.jitter);
        set(&mut settings.partitions, self.partitions);
        set(&mut settings.retention, self.retention_hours.map(|hours| Duration::from_secs(hours * 3600)));
        set(&mut settings.share.share, self.retry_share);
        set(&mut settings.share.floor_per_second, self.retry_floor_per_second);
        set(&mut settings.share.max_per_second, self.retry_max_per_second);
        set(&mut settings.drain_per_second, self.drain_per_second);
        set_ms(&mut settings.ramp_step, self.ramp_step_ms);
        set_ms(&mut settings.look_interval, self.look_interval_ms);
        let delays = &settings.levels.delays;
        let rising = delays.windows(2).all(|pair| pair[0] < pair[1]);
        check(
            "delivery.levels_ms",
            "at least one delay, each longer than the one before",
            !delays.is_empty() && rising,
        )?;
        check("delivery.levels_ms", "no delay of 0", delays.iter().all(|delay| !delay.is_zero()))?;
        check("delivery.attempts", "1 or more", settings.levels.attempts > 0)?;
        check("delivery.jitter", "0 to 1", (0.0..=1.0).contains(&settings.levels.jitter))?;
        check("delivery.partitions", "1 or more", settings.partitions > 0)?;
        check("delivery.retention_hours", "1 or more", !settings.retention.is_zero())?;
        check("delivery.retry_share", "0 to 0.99", (0.0..=0.99).contains(&settings.share.share))?;
        check("delivery.retry_max_per_second", "1 or more", settings.share.max_per_second > 0)?;
        check("delivery.drain_per_second", "1 or more", settings.drain_per_second > 0)?;
        check("delivery.look_interval_ms", "1 or more", !settings.look_interval.is_zero())?;
        Ok(settings)
    }
}

impl BreakerConfig {
    /// The settings of the breaker whose section is `key`.
    ///
    /// # Errors
    /// The first value that bounds nothing or cannot be meant, by its key.
    pub fn settings(&self, key: &str) -> Result<BreakerSettings> {
        let mut breaker = BreakerSettings::default();
        set(&mut breaker.failure_rate, self.failure_rate);
        set(&mut breaker.slow_call_rate, self.slow_call_rate);
        set_ms(&mut breaker.slow_call, self.slow_call_ms);
        set_ms(&mut breaker.window, self.window_ms);
        set(&mut breaker.window_calls, self.window_calls);
        set(&mut breaker.minimum_calls, self.minimum_calls);
        set_ms(&mut breaker.open_for, self.open_for_ms);
        set_ms(&mut breaker.open_for_max, self.open_for_max_ms);
        set(&mut breaker.probes, self.probes);
        set(&mut breaker.probe_successes, self.probe_successes);
        set_ms(&mut breaker.probe_timeout, self.probe_timeout_ms);
        set_ms(&mut breaker.ramp_step, self.ramp_step_ms);
        let of = |name: &str| format!("{key}.{name}");
        let rate = |rate: f64| rate > 0.0 && rate <= 1.0;
        check(&of("failure_rate"), "more than 0, at most 1", rate(breaker.failure_rate))?;
        check(&of("slow_call_rate"), "more than 0, at most 1", rate(breaker.slow_call_rate))?;
        check(&of("minimum_calls"), "1 or more", breaker.minimum_calls > 0)?;
        check(&of("window_calls"), "1 or more", breaker.window_calls > 0)?;
        check(&of("open_for_ms"), "1 or more", !breaker.open_for.is_zero())?;
        check(&of("open_for_max_ms"), "open_for_ms or more", breaker.open_for_max >= breaker.open_for)?;
        check(&of("probes"), "1 or more", breaker.probes > 0)?;
        check(&of("probe_timeout_ms"), "1 or more", !breaker.probe_timeout.is_zero())?;
        Ok(breaker)
    }
}

impl SinkConfig {
    /// The settings of the sink whose section is `key`.
    ///
    /// # Errors
    /// The first value that bounds nothing or cannot be meant, by its key.
    pub fn settings(&self, key: &str) -> Result<SinkSettings> {
        let mut settings = SinkSettings::default();
        set(&mut settings.switch, self.switch);
        set_ms(&mut settings.timeout, self.timeout_ms);
        settings.breaker = self.breaker.settings(&format!("{key}.breaker"))?;
        let auto = &mut settings.auto;
        set_ms(&mut auto.trip_after, self.auto_trip_after_ms);
        auto.lag_high = self.auto_lag_high.or(auto.lag_high);
        auto.lag_low = self.auto_lag_low.or(auto.lag_low);
        set_ms(&mut auto.dwell, self.auto_dwell_ms);
        settings.pressure = self.pressure.as_ref().map(PressureConfig::settings);
        let of = |name: &str| format!("{key}.{name}");
        check(&of("timeout_ms"), "1 or more", !settings.timeout.is_zero())?;
        let marks = settings.auto.lag_low <= settings.auto.lag_high;
        check(&of("auto_lag_low"), "at most auto_lag_high", settings.auto.lag_low.is_none() || marks)?;
        if let Some(pressure) = &settings.pressure {
            let marks = pressure.latency_low <= pressure.latency_high;
            check(&of("pressure.latency_low_ms"), "at most latency_high_ms", marks)?;
            let smoothing = pressure.smoothing > 0.0 && pressure.smoothing <= 1.0;
            check(&of("pressure.smoothing"), "more than 0, at most 1", smoothing)?;
            let high = pressure.threads_running_high;
            let marks = high.is_none() || pressure.threads_running_low <= high;
            check(&of("pressure.threads_running_low"), "at most threads_running_high", marks)?;
            let high = pressure.replication_lag_high;
            let marks = high.is_none() || pressure.replication_lag_low <= high;
            check(&of("pressure.replication_lag_low_ms"), "at most replication_lag_high_ms", marks)?;
            check(&of("pressure.sample_ms"), "1 or more", self.sample().is_none_or(|every| !every.is_zero()))?;
        }
        Ok(settings)
    }

    /// How often the server is asked how busy it is; `None` without a gauge.
    pub fn sample(&self) -> Option<Duration> {
        self.pressure.as_ref().map(|pressure| Duration::from_millis(pressure.sample_ms.unwrap_or(SAMPLE_MS)))
    }
}

impl PressureConfig {
    fn settings(&self) -> PressureSettings {
        let mut settings = PressureSettings::default();
        set_ms(&mut settings.latency_high, self.latency_high_ms);
        set_ms(&mut settings.latency_low, self.latency_low_ms);
        set_ms(&mut settings.slow_step, self.slow_step_ms);
        set_ms(&mut settings.slow_max, self.slow_max_ms);
        set_ms(&mut settings.step_every, self.step_every_ms);
        set(&mut settings.smoothing, self.smoothing);
        let mark = |into: &mut Option<u64>, value: Option<u64>| {
            set(into, value.map(|mark| Some(mark).filter(|mark| *mark > 0)));
        };
        mark(&mut settings.threads_running_high, self.threads_running_high);
        mark(&mut settings.threads_running_low, self.threads_running_low);
        let mark = |into: &mut Option<Duration>, ms: Option<u64>| {
            set(into, ms.map(|ms| Some(Duration::from_millis(ms)).filter(|mark| !mark.is_zero())));
        };
        mark(&mut settings.replication_lag_high, self.replication_lag_high_ms);
        mark(&mut settings.replication_lag_low, self.replication_lag_low_ms);
        settings
    }
}

/// Refuses a value that is not `allowed`, by its key.
pub(super) fn check(key: &str, allowed: &str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::fatal(format!("{key} is out of range; allowed is {allowed}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bounds_nothing_is_refused_by_its_key() {
        let delivery = |text: &str| {
            let config: DeliveryConfig = toml::from_str(text).unwrap();
            config.settings("dead", 1).map_err(|error| error.to_string())
        };
        assert_eq!(delivery("").unwrap(), DeliverySettings::new("dead"));
        let levels = delivery("levels_ms = [500, 2000]\nattempts = 3").unwrap().levels;
        assert_eq!((levels.delays[0], levels.attempts), (Duration::from_millis(500), 3));
        for (text, key) in [
            ("levels_ms = []", "delivery.levels_ms"),
            ("levels_ms = [5, 5]", "delivery.levels_ms"),
            ("levels_ms = [0, 5]", "delivery.levels_ms"),
            ("attempts = 0", "delivery.attempts"),
            ("jitter = 1.5", "delivery.jitter"),
            ("retry_share = 1.0", "delivery.retry_share"),
            ("drain_per_second = 0", "delivery.drain_per_second"),
        ] {
            assert!(delivery(text).unwrap_err().starts_with(key), "{text}");
        }
        let sink = |text: &str| {
            let config: SinkConfig = toml::from_str(text).unwrap();
            config.settings("guards.rows").map_err(|error| error.to_string())
        };
        assert_eq!(sink("").unwrap(), SinkSettings::default());
        assert_eq!(sink("switch = \"auto\"").unwrap().switch, Mode::Auto);
        let off = sink("pressure.threads_running_high = 0\npressure.replication_lag_high_ms = 0").unwrap();
        let off = off.pressure.unwrap();
        assert_eq!((off.threads_running_high, off.replication_lag_high), (None, None));
        for (text, key) in [
            ("timeout_ms = 0", "guards.rows.timeout_ms"),
            ("breaker.failure_rate = 0.0", "guards.rows.breaker.failure_rate"),
            ("breaker.window_calls = 0", "guards.rows.breaker.window_calls"),
            ("breaker.open_for_max_ms = 1", "guards.rows.breaker.open_for_max_ms"),
            ("auto_lag_high = 5\nauto_lag_low = 6", "guards.rows.auto_lag_low"),
            ("pressure.latency_low_ms = 9000", "guards.rows.pressure.latency_low_ms"),
            ("pressure.smoothing = 0.0", "guards.rows.pressure.smoothing"),
            ("pressure.threads_running_low = 65", "guards.rows.pressure.threads_running_low"),
            ("pressure.replication_lag_low_ms = 10001", "guards.rows.pressure.replication_lag_low_ms"),
            ("pressure.sample_ms = 0", "guards.rows.pressure.sample_ms"),
        ] {
            assert!(sink(text).unwrap_err().starts_with(key), "{text}");
        }
    }
}
