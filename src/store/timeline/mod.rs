//! Timelines and profiles: what an owner did last, and how often.
//!
//! An *owner* (a user) has one *timeline* per *line* (a business): its newest entries by `(at_ms, id)`. The
//! owner's [`Profile`] holds, per line, the latest entry of each *action*, when the line was first and last
//! seen, and how many distinct entries each action had on each UTC day.
//!
//! # Rules, the same for every implementation
//!
//! Ages count in **event time**, from the newest entry seen, not from the wall clock: replaying a log a year
//! later gives the same state, and an oracle can compute it.
//!
//! - Within a line an `id` stands once, in its newest version: an entry replaces one with the same id when its
//!   `at_ms` is greater **or equal** (so that reprocessing with a corrected program replaces what it wrote).
//! - A timeline keeps the [`Limits::keep`] greatest entries by `(at_ms, id)`, ids compared as bytes, and of
//!   these only the ones with `at_ms > newest - max_age`, where `newest` is the line's greatest `at_ms`. What
//!   was trimmed stays out when it comes again.
//! - The latest entry of an action is its greatest by `(at_ms, id)`, replaced on equality.
//! - `first_ms` and `last_ms` are the least and greatest `at_ms` ever seen in the line.
//! - A day is `floor(at_ms / 86_400_000)`. Counts are of distinct `(line, action, day, id)`; a replay does
//!   not inflate them. Only days `> newest_day - count_days` are kept and counted, where `newest_day` is the
//!   owner's greatest day over all lines.
//!
//! Add and trim are atomic per owner. All of this is confluent: the order of writes does not matter.
//!
//! # Whole owners
//!
//! A store may lose what it holds: a server comes back empty, and what is written from then on looks like all there is. So
//! an owner has a mark, [`Whole`], that is lost with what it vouches for. It is set by the end of a repair, which between its
//! beginning and its end writes what was ever written for the owner, and only if nothing was lost between the two. Before its
//! first repair no owner is whole, also when nothing was lost. A mark that a store forgets earlier costs a repair.

mod entry;
pub mod memory;
mod profile;
pub mod redis;
mod ring;
mod sink;

pub use profile::{Latest, LineProfile, Profile};
pub use ring::RingTimelines;
pub use sink::TimelineSink;

use std::time::Duration;

use super::StoreError;
use crate::topology::BoxFuture;

/// What one write adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Whose timeline; 1–64 bytes.
    pub owner: &'a str,
    /// Which of the owner's timelines; 1–32 bytes.
    pub line: &'a str,
    /// What was done; 1–32 bytes.
    pub action: &'a str,
    /// Unique per owner; 1–64 bytes.
    pub id: &'a str,
    /// When, in milliseconds since the Unix epoch; from 0 to 2^53.
    pub at_ms: i64,
    /// What is given back to a reader, opaque to the store.
    pub body: &'a [u8],
}

/// An entry as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Which timeline it stands in.
    pub line: String,
    /// Its id.
    pub id: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What was written.
    pub body: Vec<u8>,
}

/// What is read of an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The entries, newest first.
    pub entries: Vec<StoredEntry>,
    /// What the store vouches for.
    pub whole: Whole,
}

/// What a store vouches for of an owner: see [Whole owners](self#whole-owners).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Whole {
    /// Nothing: it may have lost some.
    #[default]
    Unknown,
    /// Its timelines. The profile tells of the newest entries alone.
    Timelines,
    /// All that there is.
    All,
}

/// Bounds of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries a timeline holds at most.
    pub keep: usize,
    /// Age past which an entry goes, from the newest of its line.
    pub max_age: Duration,
    /// Days for which counts are kept.
    pub count_days: u32,
}

impl Default for Limits {
    /// 200 entries, 90 days, counts of 30 days.
    fn default() -> Self {
        Self { keep: 200, max_age: Duration::from_secs(90 * 86_400), count_days: 30 }
    }
}

/// A store of timelines and profiles. Shared by all lanes of a sink and by readers; every method may be called
/// at any time. Every call is bounded by the configured timeout.
pub trait Timelines: Send + Sync + 'static {
    /// Adds `entries` in one round trip; several of one owner may be among them, in any order.
    ///
    /// `Ok` lists, in ascending order, the indices of entries that will never be stored, each with its
    /// reason (a field out of bounds, a place that something else occupies); all others are stored. Safe to repeat after
    /// any error.
    ///
    /// # Errors
    /// Any error means that it is unknown which entries are stored.
    #[allow(clippy::type_complexity, reason = "one use; an alias would hide that it is a sparse list")]
    fn apply<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>>;

    /// The newest `limit` entries of `owner`, newest first by `(at_ms, id)`, of one line or of all merged.
    fn read<'a>(
        &'a self,
        owner: &'a str,
        line: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Timeline, StoreError>>;

    /// The entries of [`read`](Self::read) alone.
    fn timeline<'a>(
        &'a self,
        owner: &'a str,
        line: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredEntry>, StoreError>> {
        Box::pin(async move { Ok(self.read(owner, line, limit).await?.entries) })
    }

    /// The owner's profile; `None` when nothing was ever stored for it.
    fn profile<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Option<Profile>, StoreError>>;

    /// Begins a repair of `owner`, with a number of its own, or takes part in one that has begun: the answer is the number
    /// with which it ends. The owner is not whole until then. `None` when nothing is held of it: then nothing begins.
    fn begin_repair<'a>(&'a self, owner: &'a str, repair: u64) -> BoxFuture<'a, Result<Option<u64>, StoreError>>;

    /// Ends it: what `whole` says has been written since it began, or was found to be there. `false` when what was held was
    /// lost meanwhile, or somebody else ended it: then nothing changes.
    fn end_repair<'a>(
        &'a self,
        owner: &'a str,
        repair: u64,
        whole: Whole,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// How many owners have a timeline. Walks the store: for reports, not for requests.
    fn owners(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Makes what was written survive the process; where a server does that by itself, nothing.
    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Answers when the store can be used.
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Answers when this node of it can be used.
    fn ping_node(&self, node: usize) -> BoxFuture<'_, Result<(), StoreError>> {
        let _ = node;
        self.ping()
    }

    /// How many nodes it has, each with a part of the owners, that fail each by itself. One, unless said otherwise.
    fn nodes(&self) -> usize {
        1
    }

    /// The node, from 0, that has `owner`.
    fn node_of(&self, owner: &str) -> usize {
        let _ = owner;
        0
    }
}
