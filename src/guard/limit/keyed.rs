//! A limit of each of many.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::shard::Shard;
use super::{Exceeded, LiveLimit};

/// Most locks over which keys are spread.
const SHARDS: usize = 64;
/// With fewer keys than this for each lock there are fewer locks.
const SHARD_MIN: usize = 1024;

/// The bounds of a [`Keyed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyedSettings {
    /// Keys that are remembered at most; at least 1.
    pub max_keys: usize,
}

impl Default for KeyedSettings {
    /// 1,048,576 keys, which take some 36 MiB: room for a million addresses.
    fn default() -> Self {
        Self { max_keys: 1 << 20 }
    }
}

/// Lets as many of each key pass as its limit says.
///
/// # Memory
///
/// A key takes 17 bytes of a table that is at least seven sixteenths full, however long it is: it is remembered by a hash
/// of 64 bits, with a secret that chance gives each limiter. Two keys of the same hash share a limit; among a million keys
/// that happens once in some 40 million limiters, and nobody can bring it about.
///
/// Keys that have earned everything again are forgotten within 10 s of the next call that falls to their part of the
/// table, one of 64.
///
/// With [`max_keys`](KeyedSettings::max_keys) remembered, the keys that come new share one limit for each part of the
/// table until there is room again, which is looked for once a second. So no flood of keys takes more memory, pushes out a
/// key that is limited, or lets more pass for any key than the limit; what it costs is that new keys hinder each other
/// while it lasts.
#[derive(Debug)]
pub struct Keyed {
    limit: LiveLimit,
    secret: RandomState,
    shards: Box<[Mutex<Shard>]>,
    /// Keys of each shard.
    room: usize,
}

impl Keyed {
    /// A limiter that follows this limit.
    pub fn new(limit: LiveLimit, settings: KeyedSettings) -> Self {
        let most = settings.max_keys.max(1);
        let shards = (most / SHARD_MIN).clamp(1, SHARDS);
        let room = most / shards;
        let shards = (0..shards).map(|_| Mutex::default()).collect();
        Self { limit, secret: RandomState::new(), shards, room }
    }

    /// Whether there is a limit now.
    pub fn is_limited(&self) -> bool {
        self.limit.limit().is_some()
    }

    /// Whether one of `key` would pass now. It counts for nothing: another may take its place.
    ///
    /// # Errors
    /// [`Exceeded`].
    pub fn look(&self, key: impl Hash, now: Duration) -> Result<(), Exceeded> {
        let Some(limit) = self.limit.limit() else { return Ok(()) };
        let hash = self.secret.hash_one(key);
        self.shard(hash).look(limit, hash, now)
    }

    /// Lets one of `key` pass, which counts from then on.
    ///
    /// # Errors
    /// [`Exceeded`]; it does not count.
    pub fn take(&self, key: impl Hash, now: Duration) -> Result<(), Exceeded> {
        let Some(limit) = self.limit.limit() else { return Ok(()) };
        let hash = self.secret.hash_one(key);
        self.shard(hash).take(limit, hash, self.room, now)
    }

    /// Forgets all keys that have earned everything again.
    pub fn sweep(&self, now: Duration) {
        self.shards.iter().for_each(|shard| lock(shard).sweep(now));
    }

    /// Keys that are remembered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The limit that it follows.
    pub fn limit(&self) -> &LiveLimit {
        &self.limit
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // The table of a shard takes its lowest and its highest bits.
        lock(&self.shards[(hash >> 24) as usize % self.shards.len()])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
