//! `[collector]`

use std::path::Path;
use std::time::Duration;

use axum::http::HeaderValue;
use serde::Deserialize;
use squall::service::connect::{AppsConfig, HttpConfig, LimitsConfig, ServiceConfig, ShedConfig};
use squall::service::spill::SpillConfig;
use squall::{Error, Result};

use super::settings::CollectorSettings;

/// Bytes that a record takes in the spill besides its own, about: headers, framing, the fields that are written out.
const BESIDES: u64 = 400;

/// The longest that a request, or what is remembered of one, may last.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The section of the configuration; see [`CollectorSettings`], which has the defaults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct CollectorConfig {
    pub max_body_bytes: Option<usize>,
    pub max_records: Option<usize>,
    pub max_unpacked_bytes: Option<usize>,
    pub deadline_ms: Option<u64>,
    pub dedup_ms: Option<u64>,
    pub dedup_entries: Option<u64>,
    /// Origins of the pages whose scripts may post, such as `https://shop.example`; `*` for any.
    pub cors_origins: Vec<String>,
    /// What happens while the log is away.
    pub spill: SpillConfig,
    /// The server.
    pub http: HttpConfig,
    /// The apps that call, by their keys: of this service only, since a key that pages hold must not open the other.
    pub apps: AppsConfig,
    /// How many requests are taken.
    pub limits: LimitsConfig,
    /// How many are worked at at once.
    pub shed: ShedConfig,
}

impl CollectorConfig {
    /// What is round the routes.
    pub fn service(&self) -> ServiceConfig<'_> {
        ServiceConfig { http: &self.http, apps: &self.apps, limits: &self.limits, shed: &self.shed }
    }

    /// The settings, for a spill in the folder `spill` of the data directory.
    ///
    /// # Errors
    /// The first value that bounds nothing or cannot be meant, by its key.
    pub fn settings(&self, data_dir: &Path) -> Result<CollectorSettings> {
        let durable = self.spill.settings("collector.spill", data_dir.join("spill"))?;
        let mut settings = CollectorSettings::new(durable);
        set(&mut settings.max_body_bytes, self.max_body_bytes);
        set(&mut settings.max_records, self.max_records);
        set(&mut settings.max_unpacked_bytes, self.max_unpacked_bytes);
        set(&mut settings.deadline, self.deadline_ms.map(Duration::from_millis));
        set(&mut settings.dedup, self.dedup_ms.map(Duration::from_millis));
        set(&mut settings.dedup_entries, self.dedup_entries);
        check("max_body_bytes", "1 to 67108864", (1..=64 << 20).contains(&settings.max_body_bytes))?;
        check("max_records", "1 to 100000", (1..=100_000).contains(&settings.max_records))?;
        check("deadline_ms", "1 to 86400000", (Duration::from_millis(1)..=LONGEST).contains(&settings.deadline))?;
        check("dedup_ms", "0 to 86400000", settings.dedup <= LONGEST)?;
        // A log that hangs leaves time for the disk.
        let waits = settings.durable.ack_wait.saturating_mul(2) <= settings.deadline;
        check("deadline_ms", "at least twice spill.ack_wait_ms", waits)?;
        // What one request may bring has to fit an empty spill, with what records need there besides.
        let room = settings.durable.spill.max_bytes / 2;
        let most = settings.max_body_bytes as u64 + settings.max_records as u64 * BESIDES;
        check(
            "max_body_bytes",
            "with 400 for each of max_records, at most half of spill.max_bytes",
            most <= room,
        )?;
        let fits = settings.max_unpacked_bytes >= settings.max_body_bytes;
        check(
            "max_unpacked_bytes",
            "max_body_bytes or more, below 2^40",
            fits && settings.max_unpacked_bytes < 1 << 40,
        )?;
        for origin in &self.cors_origins {
            settings.cors_origins.push(origin_of(origin)?);
        }
        Ok(settings)
    }
}

/// An origin as browsers send it: scheme, host and perhaps a port, nothing behind.
fn origin_of(text: &str) -> Result<HeaderValue> {
    let host = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, host)| host);
    let valid =
        text == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '*', ' ']));
    let value = HeaderValue::from_str(text).ok().filter(|_| valid);
    value.ok_or_else(|| {
        let allowed = "`https://host` or `https://host:port`, or `*` for any";
        Error::fatal(format!("collector.cors_origins has `{text}`; an origin is {allowed}"))
    })
}

fn set<T>(into: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *into = value;
    }
}

fn check(key: &str, allowed: &str, holds: bool) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::fatal(format!("collector.{key} is out of range; allowed is {allowed}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        let read = |text: serde_json::Value| {
            let config: CollectorConfig = serde_json::from_value(text).unwrap();
            config.settings(Path::new("data")).map_err(|error| error.to_string())
        };
        let settings = read(serde_json::json!({})).unwrap();
        assert_eq!((settings.max_body_bytes, settings.max_records), (2 << 20, 1000));
        assert_eq!(settings.durable.spill.dir, Path::new("data/spill"));
        let origins = serde_json::json!({"cors_origins": ["https://shop.example", "http://127.0.0.1:8080", "*"]});
        assert_eq!(read(origins).unwrap().cors_origins.len(), 3);
        for (text, key) in [
            (serde_json::json!({"max_body_bytes": 0}), "collector.max_body_bytes"),
            (serde_json::json!({"max_records": 0}), "collector.max_records"),
            (serde_json::json!({"deadline_ms": 0}), "collector.deadline_ms"),
            (serde_json::json!({"deadline_ms": u64::MAX}), "collector.deadline_ms"),
            (serde_json::json!({"dedup_ms": u64::MAX}), "collector.dedup_ms"),
            (serde_json::json!({"spill": {"max_bytes": 70_000}}), "collector.max_body_bytes"),
            (serde_json::json!({"spill": {"max_bytes": 1}}), "collector.spill.max_bytes"),
            (serde_json::json!({"cors_origins": ["shop.example"]}), "collector.cors_origins"),
            (serde_json::json!({"cors_origins": ["https://shop.example/"]}), "collector.cors_origins"),
        ] {
            let error = read(text.clone()).unwrap_err();
            assert!(error.starts_with(key), "{text}: {error}");
        }
    }
}
