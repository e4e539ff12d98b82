//! Records that are too old or too many, and what deleted topics leave.

use std::sync::atomic::Ordering;

use super::super::keys;
use super::super::shared::{Shared, UNPOISONED};
use super::super::topic::Topic;
use crate::broker::{BrokerError, Cleanup};

/// Keys that one batch deletes.
const STEP: usize = 512;

/// Deletes the oldest blocks of `topic` while they are past its age, or the partition holds its size without them.
pub(in super::super) fn retain(shared: &Shared, topic: &Topic, now_ms: i64) -> Result<(), BrokerError> {
    let Cleanup::Delete { retention, max_bytes } = topic.cleanup else { return Ok(()) };
    let oldest_ms = retention
        .and_then(|age| i64::try_from(age.as_millis()).ok())
        .map_or(i64::MIN, |age| now_ms.saturating_sub(age));
    for partition in 0..topic.count() {
        let state = topic.partition(partition)?.meta();
        let mut cut = state.earliest;
        for block in shared.store.blocks(topic.id, partition, 0, state.next) {
            let block = block?;
            let too_many = max_bytes.is_some_and(|max| state.end_bytes - block.end_bytes >= max);
            if block.max_ms >= oldest_ms && !too_many {
                break;
            }
            cut = block.next;
        }
        if cut > state.earliest {
            forget_before(shared, topic, partition, cut)?;
        }
    }
    Ok(())
}

/// Makes `offset` the earliest of `partition` and deletes the blocks that lie wholly below it.
pub(in super::super) fn forget_before(
    shared: &Shared,
    topic: &Topic,
    partition: u32,
    offset: u64,
) -> Result<(), BrokerError> {
    let _turn = shared.upkeep.lock().expect(UNPOISONED);
    topic.check()?;
    shared.check()?;
    let state = topic.partition(partition)?;
    let (earliest, latest) = (state.earliest(), state.latest());
    if offset > latest {
        let topic = topic.name.to_string();
        return Err(BrokerError::OutOfRange { topic, partition, offset, earliest, latest });
    }
    state.forget(offset);
    let store = &shared.store;
    let fresh = || {
        let mut batch = store.batch();
        batch.insert(&store.meta, keys::bounds(topic.id, partition), state.meta().encode());
        batch
    };
    let mut batch = fresh();
    for block in store.blocks(topic.id, partition, 0, offset) {
        let block = block?;
        if block.next > offset {
            break;
        }
        batch.remove(&store.records, keys::block(topic.id, partition, block.first()));
        if batch.len() >= STEP {
            let full = std::mem::replace(&mut batch, fresh());
            store.commit_lazily(full).map_err(|error| shared.fail(&error))?;
        }
    }
    store.commit_lazily(batch).map_err(|error| shared.fail(&error))?;
    topic.changed.notify_waiters();
    Ok(())
}

/// Deletes the records, bounds and commits of topics that have been deleted.
pub(in super::super) fn sweep(shared: &Shared) -> Result<(), BrokerError> {
    let _turn = shared.upkeep.lock().expect(UNPOISONED);
    shared.check()?;
    let store = &shared.store;
    let marks: Vec<fjall::Guard> = store.meta.prefix([keys::GONE]).collect();
    for mark in marks {
        let mark = mark.key().map_err(|e| store.error("read deleted topics", e))?;
        let id = keys::gone_topic(&mark)
            .ok_or_else(|| BrokerError::Corrupt { context: "mark of a deleted topic".into() })?;
        delete_all(shared, &store.records, &id.to_be_bytes())?;
        for prefix in keys::of_topic(id) {
            delete_all(shared, &store.meta, &prefix)?;
        }
        if shared.closing.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut batch = store.batch();
        batch.remove(&store.meta, mark);
        store.commit_lazily(batch).map_err(|error| shared.fail(&error))?;
    }
    Ok(())
}

/// Deletes all keys with `prefix`, or some when the log closes.
fn delete_all(shared: &Shared, keyspace: &fjall::Keyspace, prefix: &[u8]) -> Result<(), BrokerError> {
    let store = &shared.store;
    let mut batch = store.batch();
    for guard in keyspace.prefix(prefix) {
        let key = guard.key().map_err(|e| store.error("read deleted topics", e))?;
        batch.remove(keyspace, key);
        if batch.len() >= STEP {
            let full = std::mem::replace(&mut batch, store.batch());
            store.commit_lazily(full).map_err(|error| shared.fail(&error))?;
            if shared.closing.load(Ordering::Acquire) {
                return Ok(());
            }
        }
    }
    store.commit_lazily(batch).map_err(|error| shared.fail(&error))
}
