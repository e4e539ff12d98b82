//! What became durable a moment ago.

use std::time::Duration;

use compact_str::CompactString;
use moka::future::Cache;
use squall::guard::Clock;

use crate::record::Decoded;

/// A record by its user, its event id and a hash of its content: somebody who constructs a collision of the hash only
/// hurts that event of that user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    user_id: CompactString,
    event_id: CompactString,
    content: u128,
}

impl Key {
    pub(super) fn of(record: &Decoded) -> Self {
        let content = xxhash_rust::xxh3::xxh3_128(record.body().as_bytes());
        let record = record.record();
        Self { user_id: record.user_id.clone(), event_id: record.event_id.clone(), content }
    }
}

/// Records that became durable within a time, bounded in number.
pub(super) struct Dedup {
    /// When each became durable, by the clock below. The cache's own time only bounds how long memory is held.
    seen: Cache<Key, Duration>,
    within: Duration,
    clock: Clock,
}

impl Dedup {
    pub(super) fn new(within: Duration, entries: u64, clock: Clock) -> Self {
        let seen =
            Cache::builder().max_capacity(entries).time_to_live(within.max(Duration::from_millis(1))).build();
        Self { seen, within, clock }
    }

    /// Whether it became durable within the time.
    pub(super) async fn has(&self, key: &Key) -> bool {
        if self.within.is_zero() {
            return false;
        }
        let at = self.seen.get(key).await;
        at.is_some_and(|at| self.clock.now().saturating_sub(at) < self.within)
    }

    /// Notes that these are durable now.
    pub(super) async fn note(&self, keys: Vec<Key>) {
        if self.within.is_zero() {
            return;
        }
        let now = self.clock.now();
        for key in keys {
            self.seen.insert(key, now).await;
        }
    }
}
