//! How a log spout reads.

use std::time::Duration;

use crate::broker::GroupSettings;

/// How a [`LogSpout`](super::LogSpout) reads its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSpoutSettings {
    /// Topic to read.
    pub topic: String,
    /// How it belongs to its group.
    pub group: GroupSettings,
    /// How often watermarks are committed.
    pub commit_interval: Duration,
    /// How often a single record is replayed while the store is at fault.
    pub max_replays: u32,
    /// Where a record goes that fails as poison; without it such a record stops the run.
    pub dead_letters: Option<String>,
    /// Whether to end at what the log holds at the start, instead of waiting for more.
    pub bounded: bool,
}

impl LogSpoutSettings {
    /// `topic` as `group`, committed every second, 10 replays, no dead letters, unbounded.
    pub fn new(topic: impl Into<String>, group: GroupSettings) -> Self {
        Self {
            topic: topic.into(),
            group,
            commit_interval: Duration::from_secs(1),
            max_replays: 10,
            dead_letters: None,
            bounded: false,
        }
    }
}
