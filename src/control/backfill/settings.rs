//! The bounds of a worker's side.

use std::time::Duration;

use super::LiveStream;
use crate::guard::Clock;

/// How a [`BackfillSpout`](super::BackfillSpout) works.
#[derive(Debug, Clone)]
pub struct BackfillSettings {
    /// Name of the topology, whose jobs these are.
    pub topology: String,
    /// The topic that this program can decode: jobs over others are left to others.
    pub topic: String,
    /// Name of this process, unique among all of the topology and never used again.
    pub worker: String,
    /// For which runner the process was started; it takes the jobs of that runner only, and without one those without.
    pub runner: Option<String>,
    /// One job, at whose end the spout ends; one over another topic, or for another runner, ends it with a fatal error.
    /// `None` = all jobs, for ever.
    pub only: Option<String>,
    /// The stream that goes first when both cannot keep up; `None` = none does.
    pub live: Option<LiveStream>,
    /// Where a record goes that fails as poison; without it such a record stops the run.
    pub dead_letters: Option<String>,
    /// How often progress is written; less often where it is less than a hundredth of a chunk.
    pub report: Duration,
    /// How long one look into the log waits, and how often it is looked for leases that are over.
    pub look: Duration,
    /// How long it is waited for what came of a record that was written, before it is looked anew.
    pub patience: Duration,
    /// How often a single record is replayed while the store is at fault.
    pub max_replays: u32,
    /// How long a run waits before it is replayed that failed for the store's sake; each further time twice as long.
    pub replay_back_off: Duration,
    /// The longest such wait.
    pub replay_back_off_max: Duration,
    /// Wait after the log failed.
    pub back_off: Duration,
    /// The time.
    pub clock: Clock,
}

impl BackfillSettings {
    /// All jobs of `topology` over `topic`, for ever; progress and looks every second, 10 s patience, 10 replays after
    /// 100 ms to 5 s, 500 ms after a failure of the log, no dead letters, no live stream.
    pub fn new(topology: impl Into<String>, topic: impl Into<String>, worker: impl Into<String>) -> Self {
        Self {
            topology: topology.into(),
            topic: topic.into(),
            worker: worker.into(),
            runner: None,
            only: None,
            live: None,
            dead_letters: None,
            report: Duration::from_secs(1),
            look: Duration::from_secs(1),
            patience: Duration::from_secs(10),
            max_replays: 10,
            replay_back_off: Duration::from_millis(100),
            replay_back_off_max: Duration::from_secs(5),
            back_off: Duration::from_millis(500),
            clock: Clock::wall(),
        }
    }
}
