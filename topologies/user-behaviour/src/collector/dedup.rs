//! What became durable a moment ago.
//!
//! Not a cache of those that exist: they keep what is read often, and would rather not take what nobody has asked for twice,
//! which here nearly all is, and they pay for knowing which that is.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use squall::guard::Clock;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::record::Decoded;

const SHARDS: usize = 64;

/// A record by a hash of its canonical content, which has its user and its event id: nobody outside of the process knows the
/// seed, so nobody can construct a record that is taken for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u64; 2]);

/// Of this process.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());

impl Key {
    pub(super) fn of(record: &Decoded) -> Self {
        let hash = xxh3_128_with_seed(record.body().as_bytes(), *SEED);
        Self([(hash >> 64) as u64, hash as u64])
    }

    fn shard(self) -> usize {
        self.0[0] as usize % SHARDS
    }
}

/// It is a hash already.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[1]);
    }
}

/// The number that a [`Key`] gives.
#[derive(Default)]
pub(super) struct Given(u64);

impl Hasher for Given {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a key gives a number");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Some keys.
pub(super) type Keys = HashSet<Key, BuildHasherDefault<Given>>;

/// Records that became durable within a time, the newest of them: at most about `entries`, and never fewer than about half of that
/// many while there are as many.
pub(super) struct Dedup {
    shards: Box<[Mutex<Shard>]>,
    /// Keys of a generation of a shard.
    most: usize,
    within: Duration,
    clock: Clock,
}

/// Two generations, by when each key became durable. The young one becomes the old one when it is full, or as old as the time
/// that counts; what was the old one is forgotten.
#[derive(Default)]
struct Shard {
    young: Generation,
    old: Generation,
    since: Duration,
}

/// With the time in nanoseconds: three words an entry, of which most are read from main memory.
type Generation = HashMap<Key, u64, BuildHasherDefault<Given>>;

impl Dedup {
    pub(super) fn new(within: Duration, entries: u64, clock: Clock) -> Self {
        let most = usize::try_from(entries).unwrap_or(usize::MAX).div_ceil(2 * SHARDS);
        let within = if most == 0 { Duration::ZERO } else { within };
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), most, within, clock }
    }

    /// Whether it became durable within the time.
    pub(super) fn has(&self, key: &Key) -> bool {
        if self.within.is_zero() {
            return false;
        }
        let shard = self.shard(*key);
        let at = shard.young.get(key).or_else(|| shard.old.get(key));
        at.is_some_and(|at| self.clock.now().saturating_sub(Duration::from_nanos(*at)) < self.within)
    }

    /// Notes that these are durable now.
    pub(super) fn note(&self, keys: Keys) {
        if self.within.is_zero() {
            return;
        }
        let now = self.clock.now();
        for key in keys {
            let shard = &mut *self.shard(key);
            if shard.young.len() >= self.most || now.saturating_sub(shard.since) >= self.within {
                // Its room is needed again.
                std::mem::swap(&mut shard.old, &mut shard.young);
                shard.young.clear();
                shard.since = now;
            }
            shard.young.insert(key, now.as_nanos() as u64);
        }
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Shard> {
        self.shards[key.shard()].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::samples::hotel;

    fn key(event: u64) -> Key {
        let mut record = hotel();
        record.event_id = format!("e{event}").into();
        Key::of(&Decoded::new(record, i64::MAX).unwrap())
    }

    fn keys(events: std::ops::Range<u64>) -> Keys {
        events.map(key).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_are_known_and_no_more_than_asked_for() {
        let (within, entries) = (Duration::from_secs(60), 20_000);
        let dedup = Dedup::new(within, entries, Clock::new());
        for from in (0..50_000).step_by(50) {
            dedup.note(keys(from..from + 50));
            assert!(dedup.has(&key(from)) && !dedup.has(&key(from + 50)));
        }
        let held: usize =
            dedup.shards.iter().map(|shard| shard.lock().unwrap()).map(|s| s.young.len() + s.old.len()).sum();
        assert!((10_000..=20_000).contains(&held), "{held}");
        // Shards are not filled evenly: of the newest half a little is missing at its old end.
        assert!(keys(42_000..50_000).iter().all(|key| dedup.has(key)));
        assert!(!keys(0..20_000).iter().any(|key| dedup.has(key)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_counts_for_each_by_itself_and_bounds_what_is_held() {
        let dedup = Dedup::new(Duration::from_secs(60), 200_000, Clock::new());
        dedup.note(keys(0..100));
        tokio::time::sleep(Duration::from_secs(40)).await;
        dedup.note(keys(100..200));
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(!keys(0..100).iter().any(|key| dedup.has(key)) && keys(100..200).iter().all(|key| dedup.has(key)));
        for n in 2..40 {
            dedup.note(keys(100 * n..100 * (n + 1)));
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        let held: usize =
            dedup.shards.iter().map(|shard| shard.lock().unwrap()).map(|s| s.young.len() + s.old.len()).sum();
        assert!(held <= 600, "{held}");
    }

    #[test]
    fn with_nothing_of_either_nothing_is_known() {
        for (within, entries) in [(Duration::ZERO, 1_000), (Duration::from_secs(1), 0)] {
            let dedup = Dedup::new(within, entries, Clock::new());
            dedup.note(keys(0..9));
            assert!(!dedup.has(&key(1)));
        }
    }
}
