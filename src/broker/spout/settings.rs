//! How a log spout reads.

use std::time::Duration;

use super::OnGap;
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
    /// How long a run waits before it is replayed that failed for the store's sake; each further time twice as long. The
    /// fresh records of its partition wait with it, the other partitions do not.
    pub replay_back_off: Duration,
    /// The longest such wait.
    pub replay_back_off_max: Duration,
    /// With how many deaths in a row a record is set aside that was alone in flight in its worker each time. 0 leaves the
    /// deaths of workers out of account.
    pub max_deaths: u32,
    /// After the death of a worker, how many records of each of its partitions are delivered with one run in flight at a
    /// time: those that it may have had in flight. Beyond, it takes one more death for as many.
    pub careful_records: usize,
    /// Where a record goes that fails as poison; without it such a record stops the run.
    pub dead_letters: Option<String>,
    /// What becomes of a partition whose next record the log has deleted. A bounded run, and one that nobody
    /// [steers](super::LogSpout::steered), ends with an error instead.
    pub on_gap: OnGap,
    /// Whether records may say for which sinks they are meant: those of topics that squall itself writes. What others say
    /// of it is taken off.
    pub addressed: bool,
    /// Whether to end at what the log holds at the start, instead of waiting for more.
    pub bounded: bool,
}

impl LogSpoutSettings {
    /// `topic` as `group`, committed every second, 10 replays after 100 ms to 5 s, 3 deaths, careful for 64 runs of 512
    /// records (the default bounds of a topology), no dead letters, waiting at a gap, unbounded.
    pub fn new(topic: impl Into<String>, group: GroupSettings) -> Self {
        Self {
            topic: topic.into(),
            group,
            commit_interval: Duration::from_secs(1),
            max_replays: 10,
            replay_back_off: Duration::from_millis(100),
            replay_back_off_max: Duration::from_secs(5),
            max_deaths: 3,
            careful_records: 64 * 512,
            dead_letters: None,
            on_gap: OnGap::Stop,
            addressed: false,
            bounded: false,
        }
    }
}
