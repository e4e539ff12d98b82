//! Compaction: the newest record of each key.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::super::codec::{Block, BlockBuilder, Entry};
use super::super::keys;
use super::super::shared::{Shared, UNPOISONED};
use super::super::topic::Topic;
use crate::broker::BrokerError;

/// Blocks that one batch rewrites.
const STEP: usize = 64;

/// Newest offset by key, of the blocks that a pass looked at.
type Newest = HashMap<Box<[u8]>, u64>;

/// Removes every record of `topic` that a newer one of its key supersedes, and tombstones past their time. Offsets
/// stay. Returns how many records went.
pub(in super::super) fn compact(shared: &Shared, topic: &Topic, now_ms: i64) -> Result<u64, BrokerError> {
    let _turn = shared.upkeep.lock().expect(UNPOISONED);
    let mut removed = 0;
    for partition in 0..topic.count() {
        let latest = topic.partition(partition)?.latest();
        let mut from = 0;
        // A pass knows the newest offset of as many keys as fit and cleans all that lies before its end; what a
        // later record supersedes goes in a later pass.
        while from < latest && !shared.closing.load(Ordering::Acquire) {
            topic.check()?;
            shared.check()?;
            let (newest, until) = newest(shared, topic, partition, from, latest)?;
            removed += rewrite(shared, topic, partition, until, &newest, now_ms)?;
            from = until;
        }
    }
    Ok(removed)
}

/// The newest offset of each key in whole blocks from `from` on, and where they end.
fn newest(
    shared: &Shared,
    topic: &Topic,
    partition: u32,
    from: u64,
    latest: u64,
) -> Result<(Newest, u64), BrokerError> {
    let mut newest = Newest::new();
    for block in shared.store.blocks(topic.id, partition, from, latest) {
        let block = block?;
        block.each(0, |entry| {
            if let Some(key) = &entry.key {
                // Copied: a slice would keep its whole block in memory.
                newest.insert(key[..].into(), entry.offset);
            }
            true
        })?;
        if newest.len() >= shared.settings.compaction_keys {
            return Ok((newest, block.next));
        }
    }
    Ok((newest, latest))
}

/// Takes superseded records out of the blocks before `until`, oldest first, so that a crash never leaves an older
/// record of a key whose tombstone has gone.
fn rewrite(
    shared: &Shared,
    topic: &Topic,
    partition: u32,
    until: u64,
    newest: &Newest,
    now_ms: i64,
) -> Result<u64, BrokerError> {
    let store = &shared.store;
    let state = topic.partition(partition)?;
    let age = i64::try_from(shared.settings.tombstone_retention.as_millis()).unwrap_or(i64::MAX);
    let dead_ms = now_ms.saturating_sub(age);
    let stays = |entry: &Entry| match entry.key.as_ref().and_then(|key| newest.get(&key[..])) {
        Some(newest) if *newest > entry.offset => false,
        Some(newest) if *newest == entry.offset => entry.value.is_some() || entry.timestamp_ms > dead_ms,
        _ => true,
    };
    let mut removed = 0;
    let mut batch = store.batch();
    for block in store.blocks(topic.id, partition, 0, until) {
        let block = block?;
        let mut entries = Vec::new();
        block.each(0, |entry| {
            entries.push(entry);
            true
        })?;
        let before = entries.len();
        entries.retain(stays);
        if entries.len() == before {
            continue;
        }
        removed += (before - entries.len()) as u64;
        let key = keys::block(topic.id, partition, block.first());
        if entries.is_empty() {
            // The end of the partition may go with its last block.
            batch.insert(&store.meta, keys::bounds(topic.id, partition), state.meta().encode());
            batch.remove(&store.records, key);
        } else {
            batch.insert(&store.records, key, rebuilt(&block, &entries));
        }
        if batch.len() >= STEP {
            let full = std::mem::replace(&mut batch, store.batch());
            store.commit_lazily(full).map_err(|error| shared.fail(&error))?;
        }
    }
    store.commit_lazily(batch).map_err(|error| shared.fail(&error))?;
    Ok(removed)
}

/// The block with these records only.
fn rebuilt(block: &Block, entries: &[Entry]) -> Vec<u8> {
    let mut builder = BlockBuilder::new(block.first());
    for e in entries {
        builder.push(e.offset, e.timestamp_ms, e.key.as_deref(), e.value.as_deref(), &e.headers);
    }
    builder.finish_until(block.next, block.seen_ms, block.end_bytes)
}
