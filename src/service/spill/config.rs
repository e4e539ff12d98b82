//! The section of a configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::settings::{DurableSettings, SpillSettings};
use crate::topology::{Error, Result};

/// The longest time that any of them may be: one without an end would be no bound.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How records are kept while the log is away; see [`DurableSettings`] and [`SpillSettings`], which have the defaults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct SpillConfig {
    pub max_bytes: Option<u64>,
    pub max_record_bytes: Option<usize>,
    pub queue_bytes: Option<u32>,
    pub ack_wait_ms: Option<u64>,
    pub open_for_ms: Option<u64>,
    pub open_for_max_ms: Option<u64>,
    pub drain_per_second: Option<u64>,
    pub drain_records: Option<usize>,
    pub drain_wait_ms: Option<u64>,
    pub drain_retry_ms: Option<u64>,
    pub full_retry_after_ms: Option<u64>,
}

impl SpillConfig {
    /// The settings of the section `key`, for a spill in `dir`.
    ///
    /// # Errors
    /// The first value that bounds nothing or cannot be meant, by its key.
    pub fn settings(&self, key: &str, dir: impl Into<PathBuf>) -> Result<DurableSettings> {
        let mut spill = SpillSettings::new(dir);
        set(&mut spill.max_bytes, self.max_bytes);
        set(&mut spill.max_record_bytes, self.max_record_bytes);
        set(&mut spill.queue_bytes, self.queue_bytes);
        let mut settings = DurableSettings::new(spill);
        set(&mut settings.ack_wait, ms(self.ack_wait_ms));
        set(&mut settings.breaker.open_for, ms(self.open_for_ms));
        set(&mut settings.breaker.open_for_max, ms(self.open_for_max_ms));
        set(&mut settings.drain_per_second, self.drain_per_second);
        set(&mut settings.drain_records, self.drain_records);
        set(&mut settings.drain_wait, ms(self.drain_wait_ms));
        set(&mut settings.drain_retry, ms(self.drain_retry_ms));
        set(&mut settings.full_retry_after, ms(self.full_retry_after_ms));
        // A probe is an append like any other.
        settings.breaker.probe_timeout = settings.ack_wait.max(settings.breaker.probe_timeout);
        let check = |name: &str, allowed: &str, holds: bool| match holds {
            true => Ok(()),
            false => Err(Error::fatal(format!("{key}.{name} is out of range; allowed is {allowed}"))),
        };
        check("max_bytes", "65536 or more", settings.spill.max_bytes >= 65_536)?;
        check("max_record_bytes", "1 or more", settings.spill.max_record_bytes > 0)?;
        check("queue_bytes", "1 or more", settings.spill.queue_bytes > 0)?;
        let a_day = |time: Duration| (Duration::from_millis(1)..=LONGEST).contains(&time);
        check("ack_wait_ms", "1 to 86400000", a_day(settings.ack_wait))?;
        let breaker = &settings.breaker;
        check("open_for_ms", "1 to 86400000", a_day(breaker.open_for))?;
        let longer = (breaker.open_for..=LONGEST).contains(&breaker.open_for_max);
        check("open_for_max_ms", "open_for_ms to 86400000", longer)?;
        check("drain_per_second", "1 or more", settings.drain_per_second > 0)?;
        check("drain_records", "1 to 100000", (1..=100_000).contains(&settings.drain_records))?;
        check("drain_wait_ms", "1 to 86400000", a_day(settings.drain_wait))?;
        check("drain_retry_ms", "1 to 86400000", a_day(settings.drain_retry))?;
        check("full_retry_after_ms", "1 to 86400000", a_day(settings.full_retry_after))?;
        Ok(settings)
    }
}

fn set<T>(into: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *into = value;
    }
}

fn ms(value: Option<u64>) -> Option<Duration> {
    value.map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bounds_nothing_is_refused_by_its_key() {
        let read = |text: &str| {
            let config: SpillConfig = toml::from_str(text).unwrap();
            config.settings("collector.spill", "spill").map_err(|error| error.to_string())
        };
        assert_eq!(read("").unwrap(), DurableSettings::new(SpillSettings::new("spill")));
        let settings = read("max_bytes = 70000\nack_wait_ms = 9000").unwrap();
        assert_eq!((settings.spill.max_bytes, settings.ack_wait), (70_000, Duration::from_secs(9)));
        assert_eq!(settings.breaker.probe_timeout, Duration::from_secs(9));
        for (text, key) in [
            ("max_bytes = 1", "max_bytes"),
            ("max_record_bytes = 0", "max_record_bytes"),
            ("queue_bytes = 0", "queue_bytes"),
            ("ack_wait_ms = 0", "ack_wait_ms"),
            ("open_for_ms = 0", "open_for_ms"),
            ("open_for_max_ms = 1", "open_for_max_ms"),
            ("drain_per_second = 0", "drain_per_second"),
            ("drain_records = 0", "drain_records"),
            ("drain_wait_ms = 0", "drain_wait_ms"),
            ("drain_retry_ms = 0", "drain_retry_ms"),
            ("full_retry_after_ms = 0", "full_retry_after_ms"),
            ("ack_wait_ms = 86400001", "ack_wait_ms"),
            ("open_for_max_ms = 9223372036854775807", "open_for_max_ms"),
        ] {
            assert!(read(text).unwrap_err().starts_with(&format!("collector.spill.{key} is")), "{text}");
        }
        assert!(toml::from_str::<SpillConfig>("max_byte = 1").is_err());
    }
}
