//! The numbers that bound the embedded log.

use std::time::Duration;

/// How an embedded log works. Every queue, wait and buffer in it has its bound here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedSettings {
    /// Whether an append waits for the disk. Without, appends are applied at once by the calling task and handed
    /// to the operating system only: a crash of the process loses nothing, a crash of the machine may. For tests.
    pub sync: bool,
    /// How long an append or commit may wait for its answer, also while the queue is full.
    pub delivery_timeout: Duration,
    /// Bytes of appends that may wait for the disk; an append beyond them waits for room.
    pub queue_bytes: usize,
    /// Bytes that key, value and headers of one record may have together.
    pub max_record_bytes: usize,
    /// Bytes after which a fetch ends before its number of records is reached.
    pub fetch_max_bytes: usize,
    /// How often retention and compaction run by themselves; `None` = only when called.
    pub upkeep_interval: Option<Duration>,
    /// Age from which a compaction may delete a tombstone; until then slow readers can still see it.
    pub tombstone_retention: Duration,
    /// Distinct keys that one pass of a compaction holds in memory; more keys take more passes.
    pub compaction_keys: usize,
    /// Bytes of blocks kept in memory for readers.
    pub cache_bytes: u64,
    /// Whether other processes of the same user may use the log while it is open, through
    /// [`RemoteBroker`](super::RemoteBroker).
    pub share: bool,
    /// Connections of other processes at a time; one more is refused. A cursor and a group member have their own.
    pub share_connections: usize,
    /// How long another process may take to send a request that it has begun, or to read an answer.
    pub share_io_timeout: Duration,
    /// How long a connection of another process may ask nothing before it is closed. A cursor goes on over a new
    /// one; a group member loses its partitions.
    pub share_idle_timeout: Duration,
}

impl Default for EmbeddedSettings {
    /// Durable, 30 s, 64 MiB queue, 1 MiB records, 8 MiB fetches, upkeep each minute, tombstones for a day, a
    /// million keys, 64 MiB cache; not shared, else by 16 connections, 10 s for a request, 5 min idle.
    fn default() -> Self {
        Self {
            sync: true,
            delivery_timeout: Duration::from_secs(30),
            queue_bytes: 64 * 1024 * 1024,
            max_record_bytes: 1024 * 1024,
            fetch_max_bytes: 8 * 1024 * 1024,
            upkeep_interval: Some(Duration::from_secs(60)),
            tombstone_retention: Duration::from_secs(86_400),
            compaction_keys: 1_000_000,
            cache_bytes: 64 * 1024 * 1024,
            share: false,
            share_connections: 16,
            share_io_timeout: Duration::from_secs(10),
            share_idle_timeout: Duration::from_secs(300),
        }
    }
}

impl EmbeddedSettings {
    /// For tests on paused time: appends are applied inline without waiting for the disk, nothing runs in the
    /// background, tombstones go at the first compaction. Everything then happens on the task that calls, so the
    /// clock never runs ahead of work on another thread.
    pub fn for_tests() -> Self {
        Self {
            sync: false,
            upkeep_interval: None,
            tombstone_retention: Duration::ZERO,
            cache_bytes: 8 * 1024 * 1024,
            ..Self::default()
        }
    }
}
