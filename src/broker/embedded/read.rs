//! Records from an offset, offsets by time.

use super::codec::Entry;
use super::store::Store;
use super::topic::{Partition, Topic};
use crate::broker::{BrokerError, LogRecord};
use crate::topology::{Origin, Record};

/// Where a reader goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    /// First offset of the block to look into; without it the block is searched.
    block: Option<u64>,
}

impl Place {
    pub(super) fn at(offset: u64) -> Self {
        Self { offset, block: None }
    }
}

/// What a read found.
pub(super) struct Found {
    pub(super) records: Vec<LogRecord>,
    pub(super) next: Place,
}

/// At most `max` records from `place` on, ending early past `max_bytes`. None, with a place that may have moved
/// past holes, at the end of the log.
///
/// # Errors
/// [`BrokerError::OutOfRange`] when the place is not in the log, also when it leaves it meanwhile.
pub(super) fn read(
    store: &Store,
    topic: &Topic,
    partition: u32,
    place: Place,
    max: usize,
    max_bytes: usize,
) -> Result<Found, BrokerError> {
    topic.check()?;
    let state = topic.partition(partition)?;
    let latest = state.latest();
    check_range(topic, partition, state, place.offset)?;
    let mut found = Found { records: Vec::new(), next: place };
    if place.offset == latest || max == 0 {
        return Ok(found);
    }
    let first = match place.block {
        Some(first) => first,
        None => block_of(store, topic, partition, place.offset)?,
    };
    let mut bytes = 0;
    let mut more = true;
    for block in store.blocks(topic.id, partition, first, latest) {
        let block = block?;
        let whole = block.each(place.offset, |entry| {
            bytes += size(&entry);
            found.next.offset = entry.offset + 1;
            found.records.push(Record {
                origin: Origin { topic: topic.name.clone(), partition, offset: entry.offset, attempt: 0 },
                key: entry.key,
                headers: entry.headers,
                timestamp_ms: entry.timestamp_ms,
                value: entry.value,
            });
            more = found.records.len() < max && bytes < max_bytes;
            more
        })?;
        if whole {
            found.next = Place { offset: block.next.max(place.offset), block: Some(block.next) };
        } else {
            found.next.block = Some(block.first());
        }
        if !more {
            break;
        }
    }
    if more {
        found.next = Place { offset: latest, block: Some(latest) };
    }
    // Retention hides records before it deletes them: what is still in range now was read whole.
    check_range(topic, partition, state, place.offset)?;
    Ok(found)
}

/// The first offset whose timestamp is `timestamp_ms` or later, or the end of the log. A search over blocks by the
/// greatest timestamp seen so far; only when the record that raised it is gone, the blocks after it are walked.
pub(super) fn offset_at(
    store: &Store,
    topic: &Topic,
    partition: u32,
    timestamp_ms: i64,
) -> Result<u64, BrokerError> {
    let state = topic.partition(partition)?;
    let (earliest, latest) = (state.earliest(), state.latest());
    let (mut low, mut high) = (earliest, latest);
    while low < high {
        let middle = low + (high - low) / 2;
        let first = block_of(store, topic, partition, middle)?;
        let mut blocks = store.blocks(topic.id, partition, first, latest);
        match blocks.find(|b| b.as_ref().map_or(true, |b| b.next > middle)).transpose()? {
            Some(block) if block.seen_ms < timestamp_ms => low = block.next,
            _ => high = middle,
        }
    }
    let first = block_of(store, topic, partition, low)?;
    for block in store.blocks(topic.id, partition, first, latest) {
        let block = block?;
        if block.max_ms < timestamp_ms {
            continue;
        }
        let mut found = None;
        block.each(earliest, |entry| {
            found = (entry.timestamp_ms >= timestamp_ms).then_some(entry.offset);
            found.is_none()
        })?;
        if let Some(offset) = found {
            return Ok(offset);
        }
    }
    Ok(latest)
}

/// First offset of the last block that begins at or before `offset`; `offset` when there is none.
fn block_of(store: &Store, topic: &Topic, partition: u32, offset: u64) -> Result<u64, BrokerError> {
    let last = store.blocks(topic.id, partition, 0, offset.saturating_add(1)).next_back();
    Ok(last.transpose()?.map_or(offset, |block| block.first()))
}

/// Bytes that an entry counts for: its own, and what lengths and numbers beside them take at most.
fn size(entry: &Entry) -> usize {
    let headers: usize = entry.headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    let of = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, |b| b.len());
    headers + of(&entry.key) + of(&entry.value) + 32
}

fn check_range(topic: &Topic, partition: u32, state: &Partition, offset: u64) -> Result<(), BrokerError> {
    let (earliest, latest) = (state.earliest(), state.latest());
    if (earliest..=latest).contains(&offset) {
        return Ok(());
    }
    Err(BrokerError::OutOfRange { topic: topic.name.to_string(), partition, offset, earliest, latest })
}
