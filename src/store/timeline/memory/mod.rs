//! Timelines in memory, made durable by a journal and snapshots.
//!
//! [`MemoryTimelines::new`] keeps everything in memory alone: for tests. [`MemoryTimelines::open`] appends each
//! batch to a journal in a directory and answers once it is synced to disk; batches that arrive while a sync runs
//! share the next one. `kill -9` loses nothing that was answered.
//!
//! ```text
//! dir/lock          held while open: one process at a time
//! dir/journal-7     what was written since snapshot 7; grows to `journal_bytes`
//! dir/snapshot-7    the state before journal 7: written beside, synced, renamed
//! ```
//!
//! When a journal is full the next one is begun and a snapshot is written in the background, shard by shard, while
//! writes go on. It may already hold some of what the new journal holds; replaying that is harmless, because writes
//! are idempotent. Once it is durable, older files are removed.
//!
//! A write is visible to readers before it is durable: a crash in between takes it back, and its caller, who was not
//! answered, writes it again.
//!
//! On opening, a torn end of the last journal is cut off: it was never answered. Any other damage is an error that
//! names the file and the remedy.

mod codec;
mod files;
mod frame;
mod journal;
mod recover;
mod shards;
mod snapshot;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use store::{MemorySettings, MemoryTimelines};
