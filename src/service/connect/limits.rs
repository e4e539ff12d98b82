//! Limits of a service, and how much it does at once.

use serde::Deserialize;

use super::delivery::check;
use super::{set, set_ms};
use crate::guard::Limit;
use crate::service::http::ShedSettings;
use crate::service::http::limit::LimitSettings;
use crate::topology::{Error, Result};

/// How many requests a service takes; see [`LimitSettings`]. A limit is written `off`, which all are that do not stand
/// here, or such as `100/s` or `100/s burst 200`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct LimitsConfig {
    pub app: Option<String>,
    pub ip: Option<String>,
    pub route: Option<String>,
    pub service: Option<String>,
    /// Addresses that are remembered at most; likewise apps.
    pub max_keys: Option<usize>,
    pub ipv6_prefix: Option<u8>,
}

impl LimitsConfig {
    /// The settings of the section `key`.
    ///
    /// # Errors
    /// The first value that is no limit or bounds nothing, by its key.
    pub fn settings(&self, key: &str) -> Result<LimitSettings> {
        let mut settings = LimitSettings::default();
        let of = |name: &str| format!("{key}.{name}");
        for (into, text, name) in [
            (&mut settings.app, &self.app, "app"),
            (&mut settings.ip, &self.ip, "ip"),
            (&mut settings.route, &self.route, "route"),
            (&mut settings.service, &self.service, "service"),
        ] {
            if let Some(text) = text {
                *into = Limit::parse(text).map_err(|error| Error::fatal(format!("{}: {error}", of(name))))?;
            }
        }
        set(&mut settings.keys.max_keys, self.max_keys);
        set(&mut settings.ipv6_prefix, self.ipv6_prefix);
        check(&of("max_keys"), "1 or more", settings.keys.max_keys > 0)?;
        check(&of("ipv6_prefix"), "1 to 128", (1..=128).contains(&settings.ipv6_prefix))?;
        Ok(settings)
    }
}

/// How much a service does at once; see [`ShedSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct ShedConfig {
    pub max_in_flight: Option<usize>,
    pub max_waiting: Option<usize>,
    pub max_wait_ms: Option<u64>,
    pub retry_after_ms: Option<u64>,
}

impl ShedConfig {
    /// The settings of the section `key`.
    ///
    /// # Errors
    /// The first value that cannot be meant, by its key.
    pub fn settings(&self, key: &str) -> Result<ShedSettings> {
        let mut settings = ShedSettings::default();
        set(&mut settings.max_in_flight, self.max_in_flight);
        set(&mut settings.max_waiting, self.max_waiting);
        set_ms(&mut settings.max_wait, self.max_wait_ms);
        set_ms(&mut settings.retry_after, self.retry_after_ms);
        let of = |name: &str| format!("{key}.{name}");
        check(&of("max_in_flight"), "1 or more", settings.max_in_flight > 0)?;
        let waits = settings.max_waiting == 0 || !settings.max_wait.is_zero();
        check(&of("max_wait_ms"), "1 or more, or max_waiting 0", waits)?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn limits_are_read_and_what_is_none_is_refused_by_its_key() {
        let read = |text: &str| {
            let config: LimitsConfig = toml::from_str(text).unwrap();
            config.settings("query.limits").map_err(|error| error.to_string())
        };
        assert_eq!(read("").unwrap(), LimitSettings::default());
        let settings = read("app = '100/s burst 200'\nip = '5/s'\nroute = 'off'\nmax_keys = 7").unwrap();
        assert_eq!((settings.app, settings.ip), (Limit::new(100, 200), Limit::new(5, 5)));
        assert_eq!((settings.route, settings.service, settings.keys.max_keys), (None, None, 7));
        for (text, part) in [
            ("app = '0/s'", "query.limits.app: `0/s` is no limit; it is off, or such as 100/s"),
            ("service = 'fast'", "query.limits.service: `fast` is no limit"),
            ("max_keys = 0", "query.limits.max_keys is out of range"),
            ("ipv6_prefix = 0", "query.limits.ipv6_prefix"),
            ("ipv6_prefix = 129", "query.limits.ipv6_prefix"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(part), "{error}");
        }
    }

    #[test]
    fn work_at_once_has_a_bound() {
        let read = |text: &str| {
            let config: ShedConfig = toml::from_str(text).unwrap();
            config.settings("query.shed").map_err(|error| error.to_string())
        };
        assert_eq!(read("").unwrap(), ShedSettings::default());
        let settings = read("max_in_flight = 8\nmax_waiting = 0\nmax_wait_ms = 0").unwrap();
        assert_eq!((settings.max_in_flight, settings.max_wait), (8, Duration::ZERO));
        assert!(read("max_in_flight = 0").unwrap_err().starts_with("query.shed.max_in_flight"));
        assert!(read("max_wait_ms = 0").unwrap_err().starts_with("query.shed.max_wait_ms"));
    }
}
