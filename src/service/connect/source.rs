//! `[source]`

use std::time::Duration;

use serde::Deserialize;

use super::set_ms;
use crate::broker::{GroupSettings, LogSpoutSettings, OnGap, StartFrom};
use crate::control::backfill::LiveStream;
use crate::guard::AutoSkipSettings;

/// Where a topology reads, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Topic.
    pub topic: String,
    /// Partitions that the topic is created with when it does not exist.
    #[serde(default = "default_partitions")]
    pub partitions: u32,
    /// Copies of each partition that it is created with.
    #[serde(default = "default_replication")]
    pub replication: u16,
    /// Consumer group.
    pub group: String,
    /// Topic for records that do not decode or cannot be stored.
    pub dead_letters: String,
    /// Where a group begins that has never committed: `earliest`, `latest`, or milliseconds since the Unix epoch.
    #[serde(default)]
    pub start_from: StartConfig,
    /// Static membership: a restart within the session timeout moves no partition.
    pub instance_id: Option<String>,
    /// Records fetched ahead.
    pub prefetch: Option<usize>,
    /// After how long without a heartbeat the group takes the partitions away.
    pub session_timeout_ms: Option<u64>,
    /// How long a revocation waits for what is in flight.
    pub drain_timeout_ms: Option<u64>,
    /// How often watermarks are committed.
    pub commit_interval_ms: Option<u64>,
    /// How often a single record is replayed while a store is at fault.
    pub max_replays: Option<u32>,
    /// How long a run that failed waits before it is replayed; each further time twice as long.
    pub replay_back_off_ms: Option<u64>,
    /// The longest such wait.
    pub replay_back_off_max_ms: Option<u64>,
    /// What becomes of a partition whose next record the log has deleted: `stop` until an operator decides, or go on at
    /// the `earliest` record, or with the `latest`.
    #[serde(default)]
    pub on_gap: OnGapConfig,
    /// Records of lag from which the spout skips to the newest by itself, and has a backfill bring those between; none =
    /// never for their sake.
    pub skip_when_lag_exceeds_records: Option<u64>,
    /// The same for the age of the oldest record that is not processed.
    pub skip_when_lag_exceeds_ms: Option<u64>,
    /// How long the lag has to be too large, and the least time between two such skips.
    pub skip_dwell_ms: Option<u64>,
    /// See there.
    pub skip_again_after_ms: Option<u64>,
    /// Backfills rest while something is not committed that was in the log so long ago, at least twice the time between two
    /// commits; 0 = they never do. 2,000 if not given.
    pub backfill_rests_when_behind_ms: Option<u64>,
    /// With how many deaths of its worker in a row a record becomes a dead letter; 0 = never.
    pub max_deaths: Option<u32>,
    /// After a death, how many records of each partition go out with one run in flight at a time.
    pub careful_records: Option<usize>,
}

/// How far the stream may be behind before backfills rest.
const BEHIND: Duration = Duration::from_secs(2);

fn default_partitions() -> u32 {
    4
}

fn default_replication() -> u16 {
    1
}

/// See [`StartFrom`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartConfig {
    /// The oldest record.
    #[default]
    Earliest,
    /// Only what arrives from now on.
    Latest,
    /// The first record at or after this time, in milliseconds since the Unix epoch.
    #[serde(untagged)]
    Timestamp(i64),
}

/// See [`OnGap`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnGapConfig {
    /// Wait for an operator.
    #[default]
    Stop,
    /// Go on at the oldest record.
    Earliest,
    /// Go on with what arrives from now on.
    Latest,
}

impl SourceConfig {
    /// When the spout skips ahead by itself.
    pub fn auto_skip(&self) -> AutoSkipSettings {
        let mut settings = AutoSkipSettings {
            records: self.skip_when_lag_exceeds_records,
            behind: self.skip_when_lag_exceeds_ms.map(Duration::from_millis),
            ..AutoSkipSettings::default()
        };
        set_ms(&mut settings.dwell, self.skip_dwell_ms);
        set_ms(&mut settings.again_after, self.skip_again_after_ms);
        settings
    }

    /// The stream that goes before backfills.
    pub fn live(&self) -> Option<LiveStream> {
        let behind = self.backfill_rests_when_behind_ms.map_or(BEHIND, Duration::from_millis);
        let least = self.settings().commit_interval * 2;
        (!behind.is_zero()).then(|| LiveStream { group: self.group.clone(), behind: behind.max(least) })
    }

    /// The spout's settings.
    pub fn settings(&self) -> LogSpoutSettings {
        let mut group = GroupSettings::new(&self.group);
        group.start_from = match self.start_from {
            StartConfig::Earliest => StartFrom::Earliest,
            StartConfig::Latest => StartFrom::Latest,
            StartConfig::Timestamp(ms) => StartFrom::Timestamp(ms),
        };
        group.instance_id.clone_from(&self.instance_id);
        super::set(&mut group.prefetch, self.prefetch);
        set_ms(&mut group.session_timeout, self.session_timeout_ms);
        set_ms(&mut group.drain_timeout, self.drain_timeout_ms);
        let mut settings = LogSpoutSettings::new(&self.topic, group);
        set_ms(&mut settings.commit_interval, self.commit_interval_ms);
        super::set(&mut settings.max_replays, self.max_replays);
        set_ms(&mut settings.replay_back_off, self.replay_back_off_ms);
        set_ms(&mut settings.replay_back_off_max, self.replay_back_off_max_ms);
        super::set(&mut settings.max_deaths, self.max_deaths);
        super::set(&mut settings.careful_records, self.careful_records);
        settings.on_gap = match self.on_gap {
            OnGapConfig::Stop => OnGap::Stop,
            OnGapConfig::Earliest => OnGap::Earliest,
            OnGapConfig::Latest => OnGap::Latest,
        };
        settings.dead_letters = Some(self.dead_letters.clone());
        settings
    }
}
