//! All owners, spread over locks.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use compact_str::CompactString;

use super::super::Entry;
use super::super::entry::Bounds;
use super::state::Owner;

const SHARDS: usize = 256;

/// Owners by name. No lock is ever held across an await, or across reading or writing a file.
pub(super) struct Shards {
    bounds: Bounds,
    hash: std::hash::RandomState,
    shards: Box<[RwLock<Shard>]>,
}

pub(super) type Shard = HashMap<CompactString, Owner>;

impl Shards {
    pub(super) fn new(bounds: Bounds) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { bounds, hash: std::hash::RandomState::new(), shards }
    }

    /// Applies `entry`, then calls `then` before any other write to this owner.
    pub(super) fn apply(&self, entry: &Entry<'_>, then: impl FnOnce()) {
        let mut shard = self.write(entry.owner);
        let owner = match shard.get_mut(entry.owner) {
            Some(owner) => owner,
            None => shard.entry(entry.owner.into()).or_default(),
        };
        owner.apply(entry, &self.bounds);
        then();
    }

    /// Puts an owner that was read from a snapshot.
    pub(super) fn restore(&self, name: CompactString, mut owner: Owner) {
        owner.trim(&self.bounds);
        self.write(&name).insert(name, owner);
    }

    pub(super) fn read<T>(&self, owner: &str, read: impl FnOnce(&Owner) -> T) -> Option<T> {
        let shard = &self.shards[self.index(owner)];
        shard.read().unwrap_or_else(PoisonError::into_inner).get(owner).map(read)
    }

    pub(super) fn change<T>(&self, owner: &str, change: impl FnOnce(&mut Owner) -> T) -> Option<T> {
        self.write(owner).get_mut(owner).map(change)
    }

    pub(super) fn each(&self) -> impl Iterator<Item = RwLockReadGuard<'_, Shard>> {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, owner: &str) -> RwLockWriteGuard<'_, Shard> {
        self.shards[self.index(owner)].write().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self, owner: &str) -> usize {
        (self.hash.hash_one(owner) >> 32) as usize % SHARDS
    }
}
