//! The numbers that bound a spill and the producer over it.

use std::path::PathBuf;
use std::time::Duration;

use crate::guard::BreakerSettings;

/// The largest segment. It stays below the size at which the embedded log copies its journal into tables.
const SEGMENT_MAX: u64 = 16 * 1024 * 1024;
/// The smallest segment: below it, making folders costs more than it frees.
const SEGMENT_MIN: u64 = 64 * 1024;

/// Where a spill is and how much it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpillSettings {
    /// Its folder, for one process at a time.
    pub dir: PathBuf,
    /// Bytes that it holds at most; see [`RECORD_OVERHEAD`](super::RECORD_OVERHEAD).
    pub max_bytes: u64,
    /// Bytes that key, value and headers of one record may have together: what the log takes, or less.
    pub max_record_bytes: usize,
    /// Bytes that wait in memory for the disk at most; further appends wait for room. They count like those of `max_bytes`.
    pub queue_bytes: u32,
    /// Whether an append waits for the disk, as in
    /// [`EmbeddedSettings`](crate::broker::embedded::EmbeddedSettings::sync). Off is for tests.
    pub sync: bool,
}

impl SpillSettings {
    /// 1 GiB in `dir`, records of up to 1,000,000 bytes, 32 MiB that wait for the disk, synced.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_bytes: 1 << 30,
            max_record_bytes: 1_000_000,
            queue_bytes: 32 << 20,
            sync: true,
        }
    }

    /// Bytes after which a segment is full.
    pub(super) fn segment_bytes(&self) -> u64 {
        (self.max_bytes / 8).clamp(SEGMENT_MIN, SEGMENT_MAX)
    }
}

/// How a producer uses the log and the spill.
#[derive(Debug, Clone, PartialEq)]
pub struct DurableSettings {
    /// How long the log may take to acknowledge fresh records before they go to the spill.
    pub ack_wait: Duration,
    /// When the log is left alone. The drain is one of those who ask it.
    pub breaker: BreakerSettings,
    /// Records a second that the drain brings back at most.
    pub drain_per_second: u64,
    /// Records of one append of the drain at most; after a failure it begins again with one.
    pub drain_records: usize,
    /// How long one append of the drain may take. Longer than the log's own delivery time-out: it is the log that gives
    /// up, for it knows best what is still under way.
    pub drain_wait: Duration,
    /// How long the drain waits after an append that failed.
    pub drain_retry: Duration,
    /// What a caller is told to wait when the spill is full.
    pub full_retry_after: Duration,
    /// The spill.
    pub spill: SpillSettings,
}

impl DurableSettings {
    /// 1 s for an acknowledgement; 20,000 records a second, 500 at a time, 60 s for each, 200 ms after a failure; 5 s
    /// when full. The breaker opens when, of at least 3 and at most 8 appends in 10 s, half failed, for 1 s, doubling up
    /// to 5 s, and closes with the first probe that succeeds.
    pub fn new(spill: SpillSettings) -> Self {
        let breaker = BreakerSettings {
            failure_rate: 0.5,
            // An append that is slow is one that was given up.
            slow_call_rate: 2.0,
            window_calls: 8,
            minimum_calls: 3,
            open_for: Duration::from_secs(1),
            open_for_max: Duration::from_secs(5),
            probe_successes: 1,
            // A log has no cold caches to be spared.
            ramp_step: Duration::ZERO,
            ..BreakerSettings::default()
        };
        Self {
            ack_wait: Duration::from_secs(1),
            breaker,
            drain_per_second: 20_000,
            drain_records: 500,
            drain_wait: Duration::from_secs(60),
            drain_retry: Duration::from_millis(200),
            full_retry_after: Duration::from_secs(5),
            spill,
        }
    }
}
