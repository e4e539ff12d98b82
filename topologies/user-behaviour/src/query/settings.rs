//! `[query]`

use std::time::Duration;

use serde::Deserialize;
use squall::Error;
use squall::service::connect::{AppsConfig, BreakerConfig, HttpConfig, LimitsConfig, ServiceConfig, ShedConfig};
use squall::service::read::GateSettings;

/// Records of a page at most, and where the caller does not say.
pub(crate) const MAX_LIMIT: usize = 200;
pub(crate) const DEFAULT_LIMIT: usize = 20;
/// Calls that a breaker judges by. So few that a node that hangs is left alone after fifty questions that waited for it: of
/// all calls of ten seconds, half would be hundreds.
const BREAKER_CALLS: usize = 100;
/// Users of one question at most.
pub(crate) const MAX_USERS: usize = 100;

/// The query service; see [`QuerySettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct QueryConfig {
    pub request_ms: Option<u64>,
    pub redis_step_ms: Option<u64>,
    pub max_redis_in_flight: Option<usize>,
    pub mysql_step_ms: Option<u64>,
    pub max_mysql_in_flight: Option<usize>,
    pub mysql_wait_ms: Option<u64>,
    pub breaker: BreakerConfig,
    pub negative_ms: Option<u64>,
    pub confirm_ms: Option<u64>,
    pub known_users: Option<u64>,
    pub stale_ms: Option<u64>,
    pub stale_bytes: Option<u64>,
    pub repair_in_flight: Option<usize>,
    pub repair_queue: Option<usize>,
    pub repair_rows: Option<usize>,
    pub repair_step_ms: Option<u64>,
    pub profile_rows: Option<usize>,
    pub batch_in_flight: Option<usize>,
    pub lag_every_ms: Option<u64>,
    /// The server.
    pub http: HttpConfig,
    /// The apps that call, by their keys: of this service only, since a key that pages hold must not open the other.
    pub apps: AppsConfig,
    /// How many requests are taken.
    pub limits: LimitsConfig,
    /// How many are worked at at once.
    pub shed: ShedConfig,
}

/// Bounds of the query service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuerySettings {
    /// Time of a request, at most, once its body is there: a deadline that it brings can only be nearer; 1 s.
    pub request: Duration,
    /// Calls to each node of the timelines: 100 ms each (`redis_step_ms`), 4,096 at a time (`max_redis_in_flight`), and
    /// `[query.breaker]`, which judges by the last 100 calls unless it says otherwise.
    pub redis: GateSettings,
    /// Calls to the rows: 500 ms each (`mysql_step_ms`), 8 at a time (`max_mysql_in_flight`; more than the pool of
    /// the rows has connections only wait there), for one of which a call waits
    /// 50 ms (`mysql_wait_ms`), and `[query.breaker]`.
    pub mysql: GateSettings,
    /// How long it is remembered that neither store has anything of a user; 1 s.
    pub negative: Duration,
    /// How long it is remembered that the timelines were found to hold all of a user; 5 min.
    pub confirm: Duration,
    /// Users for whom either is remembered; 100,000.
    pub known_users: u64,
    /// Age of the oldest answer that is given while both stores are away; 5 min. 0: none is kept.
    pub stale: Duration,
    /// Bytes of such answers, about; 64 MiB.
    pub stale_bytes: u64,
    /// Repairs under way; 4.
    pub repair_in_flight: usize,
    /// Repairs that wait or are under way; 10,000. Further ones are left to the next read of their user.
    pub repair_queue: usize,
    /// Rows of a user that a repair brings back at most; 5,000.
    pub repair_rows: usize,
    /// What one call of a repair may take; 2 s.
    pub repair_step: Duration,
    /// Newest rows that a profile is derived from while the timelines do not have it; 1,000.
    pub profile_rows: usize,
    /// Users of one question that are read at a time; 16.
    pub batch_in_flight: usize,
    /// How often the log is asked how far the topology is behind; 1 s, not less.
    pub lag_every: Duration,
}

impl QueryConfig {
    /// What is round the routes.
    pub fn service(&self) -> ServiceConfig<'_> {
        ServiceConfig { http: &self.http, apps: &self.apps, limits: &self.limits, shed: &self.shed }
    }

    /// The settings.
    ///
    /// # Errors
    /// The first value that bounds nothing or cannot be meant, by its key.
    pub fn settings(&self) -> squall::Result<QuerySettings> {
        let mut breaker = self.breaker.settings("query.breaker")?;
        breaker.window_calls = self.breaker.window_calls.unwrap_or(BREAKER_CALLS);
        let settings = QuerySettings {
            request: ms("request_ms", self.request_ms, 1_000, 1)?,
            redis: GateSettings {
                step: ms("redis_step_ms", self.redis_step_ms, 100, 1)?,
                max_in_flight: count("max_redis_in_flight", self.max_redis_in_flight, 4_096)?,
                max_wait: Duration::from_millis(20),
                breaker,
            },
            mysql: GateSettings {
                step: ms("mysql_step_ms", self.mysql_step_ms, 500, 1)?,
                max_in_flight: count("max_mysql_in_flight", self.max_mysql_in_flight, 8)?,
                max_wait: ms("mysql_wait_ms", self.mysql_wait_ms, 50, 0)?,
                breaker,
            },
            negative: ms("negative_ms", self.negative_ms, 1_000, 0)?,
            confirm: ms("confirm_ms", self.confirm_ms, 300_000, 0)?,
            known_users: self.known_users.unwrap_or(100_000),
            stale: ms("stale_ms", self.stale_ms, 300_000, 0)?,
            stale_bytes: self.stale_bytes.unwrap_or(64 << 20),
            repair_in_flight: count("repair_in_flight", self.repair_in_flight, 4)?,
            repair_queue: count("repair_queue", self.repair_queue, 10_000)?,
            repair_rows: count("repair_rows", self.repair_rows, 5_000)?,
            repair_step: ms("repair_step_ms", self.repair_step_ms, 2_000, 1)?,
            profile_rows: count("profile_rows", self.profile_rows, 1_000)?,
            batch_in_flight: count("batch_in_flight", self.batch_in_flight, 16)?,
            lag_every: ms("lag_every_ms", self.lag_every_ms, 1_000, 1_000)?,
        };
        Ok(settings)
    }
}

/// Milliseconds from `least` to a day.
fn ms(key: &str, value: Option<u64>, default: u64, least: u64) -> squall::Result<Duration> {
    let value = value.unwrap_or(default);
    let fits = (least..=86_400_000).contains(&value);
    let refuse = || Error::fatal(format!("query.{key} is {value}; allowed is {least} to 86400000"));
    fits.then(|| Duration::from_millis(value)).ok_or_else(refuse)
}

/// A number from 1 to a million.
fn count(key: &str, value: Option<usize>, default: usize) -> squall::Result<usize> {
    let value = value.unwrap_or(default);
    let refuse = || Error::fatal(format!("query.{key} is {value}; allowed is 1 to 1000000"));
    (1..=1_000_000).contains(&value).then_some(value).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_enough_and_bounds_are_checked() {
        let settings = QueryConfig::default().settings().unwrap();
        assert_eq!((settings.mysql.max_in_flight, settings.confirm), (8, Duration::from_secs(300)));
        let refuse = |config: QueryConfig| config.settings().unwrap_err().to_string();
        let none = refuse(QueryConfig { max_mysql_in_flight: Some(0), ..QueryConfig::default() });
        assert_eq!(none, "query.max_mysql_in_flight is 0; allowed is 1 to 1000000");
        let often = refuse(QueryConfig { lag_every_ms: Some(10), ..QueryConfig::default() });
        assert_eq!(often, "query.lag_every_ms is 10; allowed is 1000 to 86400000");
        let breaker = BreakerConfig { probes: Some(0), ..BreakerConfig::default() };
        let rate = refuse(QueryConfig { breaker, ..QueryConfig::default() });
        assert!(rate.starts_with("query.breaker.probes"), "{rate}");
    }
}
