//! The store itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::entry::{Bounds, refuse};
use super::super::{Entry, Limits, Profile, Timeline, Timelines, Whole};
use super::codec::put_entry;
use super::journal::Journal;
use super::recover::recover;
use super::shards::Shards;
use super::state::Owner;
use crate::store::StoreError;
use crate::topology::BoxFuture;

/// Bounds of what [`MemoryTimelines::open`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySettings {
    /// A journal is replaced by a snapshot when it is as long as this. At most two stand beside the snapshot.
    pub journal_bytes: u64,
    /// A write waits while more than this waits for the disk.
    pub pending_bytes: usize,
}

impl Default for MemorySettings {
    /// 256 MiB and 16 MiB.
    fn default() -> Self {
        Self { journal_bytes: 256 << 20, pending_bytes: 16 << 20 }
    }
}

/// Timelines in memory, optionally durable in a directory.
pub struct MemoryTimelines {
    shards: Arc<Shards>,
    durable: Option<(PathBuf, Journal)>,
}

impl MemoryTimelines {
    /// Timelines that end with the process.
    pub fn new(limits: Limits) -> Self {
        Self { shards: Arc::new(Shards::new(Bounds::from(limits))), durable: None }
    }

    /// Timelines in `dir`, which is created when it is missing. Blocks while it reads what is there.
    ///
    /// # Errors
    /// [`StoreError::Config`] when another process has it open; [`StoreError::Io`] with the remedy when something
    /// cannot be read, or is damaged.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, StoreError> {
        Self::open_with(dir, limits, MemorySettings::default())
    }

    /// Like [`open`](Self::open), with other bounds.
    ///
    /// # Errors
    /// As for `open`.
    pub fn open_with(dir: &Path, limits: Limits, settings: MemorySettings) -> Result<Self, StoreError> {
        let shards = Arc::new(Shards::new(Bounds::from(limits)));
        let (directory, tail) = recover(dir, &shards)?;
        let journal =
            Journal::start(directory, tail, shards.clone(), settings).map_err(|source| failed(dir, source))?;
        Ok(Self { shards, durable: Some((dir.to_owned(), journal)) })
    }

    async fn write(&self, entries: &[Entry<'_>]) -> Result<Vec<(usize, StoreError)>, StoreError> {
        let refused = refuse("memory", entries);
        let Some((dir, journal)) = &self.durable else {
            each_good(entries, &refused, |entry| self.shards.apply(entry, || ()));
            return Ok(refused);
        };
        let since = journal.ready().await;
        // Appended under the owner's lock: a restart replays the writes to an owner in the order they were made in.
        each_good(entries, &refused, |entry| {
            self.shards.apply(entry, || journal.append(|out| put_entry(out, entry)));
        });
        journal.durable(since).await.map_err(|source| failed(dir, source))?;
        Ok(refused)
    }
}

impl std::fmt::Debug for MemoryTimelines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dir = self.durable.as_ref().map(|(dir, _)| dir);
        f.debug_struct("MemoryTimelines").field("dir", &dir).finish_non_exhaustive()
    }
}

impl Timelines for MemoryTimelines {
    fn apply<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>> {
        Box::pin(self.write(entries))
    }

    fn read<'a>(
        &'a self,
        owner: &'a str,
        line: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Timeline, StoreError>> {
        let read = |owner: &Owner| Timeline { entries: owner.timeline(line, limit), whole: owner.whole() };
        Box::pin(std::future::ready(Ok(self.shards.read(owner, read).unwrap_or_default())))
    }

    fn profile<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Option<Profile>, StoreError>> {
        Box::pin(std::future::ready(Ok(self.shards.read(owner, |owner| owner.profile()))))
    }

    fn begin_repair<'a>(&'a self, owner: &'a str, repair: u64) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        let begun = self.shards.change(owner, |owner| owner.begin_repair(repair));
        Box::pin(std::future::ready(Ok(begun)))
    }

    fn end_repair<'a>(
        &'a self,
        owner: &'a str,
        repair: u64,
        whole: Whole,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let ended = self.shards.change(owner, |owner| owner.end_repair(repair, whole));
        Box::pin(std::future::ready(Ok(ended.unwrap_or(false))))
    }

    fn owners(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        let owners = self.shards.each().map(|shard| shard.len() as u64).sum();
        Box::pin(std::future::ready(Ok(owners)))
    }

    /// What was answered is durable already; this also waits for what is on its way.
    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let Some((dir, journal)) = &self.durable else { return Ok(()) };
            journal.flush().await.map_err(|source| failed(dir, source))
        })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn each_good(entries: &[Entry<'_>], refused: &[(usize, StoreError)], mut write: impl FnMut(&Entry<'_>)) {
    let mut refused = refused.iter().peekable();
    for (at, entry) in entries.iter().enumerate() {
        if refused.next_if(|(bad, _)| *bad == at).is_none() {
            write(entry);
        }
    }
}

fn failed(dir: &Path, source: io::Error) -> StoreError {
    let context = format!("writing the journal in {}", dir.display());
    StoreError::Io { store: "memory", context, source }
}
