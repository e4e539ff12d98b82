//! A part of the keys, behind one lock.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use super::gcra::{Due, nanos, pass, settle};
use super::{Exceeded, Limit};

/// How often idle keys are looked for while there is room.
const SWEEP: Duration = Duration::from_secs(10);
/// How often they are looked for at most once there is none: a sweep reads all keys of the shard.
const SWEEP_FULL: Duration = Duration::from_secs(1);

/// Keys by their hash, which has all the chance there is; so it is not hashed again.
type Keys = HashMap<u64, Due, BuildHasherDefault<AsItIs>>;

#[derive(Debug, Default)]
pub(super) struct Shard {
    keys: Keys,
    /// What all keys share that found no room; `None` while none has passed.
    shared: Option<Due>,
    latest: Duration,
    swept: Duration,
}

impl Shard {
    /// Whether one of `key` would pass.
    pub(super) fn look(&mut self, limit: Limit, key: u64, now: Duration) -> Result<(), Exceeded> {
        let now = self.at_latest(now);
        let due = self.settled(limit, key, now);
        pass(limit, due, now).map(drop)
    }

    /// Lets one of `key` pass.
    pub(super) fn take(&mut self, limit: Limit, key: u64, room: usize, now: Duration) -> Result<(), Exceeded> {
        let now = self.at_latest(now);
        let every = if self.keys.len() < room { SWEEP } else { SWEEP_FULL };
        if now.saturating_sub(self.swept) >= every {
            self.sweep(now);
        }
        let due = self.settled(limit, key, now);
        let due = pass(limit, due, now)?;
        if let Some(known) = self.keys.get_mut(&key) {
            *known = due;
        } else if self.keys.len() < room {
            self.keys.insert(key, due);
        } else {
            self.shared = Some(due);
        }
        Ok(())
    }

    /// What counts for a key. What the new ones share counts for one that finds room too: it may have had of it.
    fn settled(&mut self, limit: Limit, key: u64, now: Duration) -> Option<Due> {
        let due = self.keys.get_mut(&key).or(self.shared.as_mut())?;
        settle(limit, due, now);
        Some(*due)
    }

    /// Forgets the keys that have earned everything again: they are as if they had never been.
    pub(super) fn sweep(&mut self, now: Duration) {
        self.swept = now;
        let now = nanos(now);
        self.keys.retain(|_, due| *due > now);
        if self.keys.len() < self.keys.capacity() / 4 {
            self.keys.shrink_to(self.keys.len() * 2);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    fn at_latest(&mut self, now: Duration) -> Duration {
        self.latest = self.latest.max(now);
        self.latest
    }
}

/// Takes a number for its own hash.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
