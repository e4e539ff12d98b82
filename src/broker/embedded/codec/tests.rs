//! Round trips, and bytes that are anything.

use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{Block, BlockBuilder, Entry, PartitionMeta, TopicMeta};
use crate::broker::Cleanup;
use crate::topology::Headers;

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

/// Records with growing offsets, the first at `first`.
fn entries() -> impl Strategy<Value = (u64, Vec<Entry>)> {
    let record =
        (1_u64..1000, any::<i64>(), option::of(bytes()), option::of(bytes()), vec((".{0,8}", bytes()), 0..4));
    (0_u64..1 << 62, vec(record, 0..20)).prop_map(|(first, records)| {
        let mut offset = first;
        let entries = records.into_iter().map(|(step, timestamp_ms, key, value, named)| {
            let mut headers = Headers::default();
            for (name, value) in named {
                headers.push(name, value);
            }
            let entry = Entry { offset, timestamp_ms, key, value, headers };
            offset += step;
            entry
        });
        (first, entries.collect())
    })
}

fn build(first: u64, entries: &[Entry]) -> Bytes {
    let mut builder = BlockBuilder::new(first);
    for e in entries {
        builder.push(e.offset, e.timestamp_ms, e.key.as_deref(), e.value.as_deref(), &e.headers);
    }
    builder.finish(42, 99).into()
}

proptest! {
    #[test]
    fn a_block_gives_back_what_was_put_in((first, entries) in entries(), skip in 0_usize..20) {
        let block = Block::parse(first, build(first, &entries)).unwrap();
        prop_assert_eq!((block.seen_ms, block.end_bytes), (42, 99));
        prop_assert_eq!(block.max_ms, entries.iter().map(|e| e.timestamp_ms).max().unwrap_or(i64::MIN));
        prop_assert_eq!(block.next, entries.last().map_or(first, |e| e.offset + 1));
        let from = entries.get(skip).map_or(first, |e| e.offset);
        let mut read = Vec::new();
        let whole = block.each(from, |entry| { read.push(entry); true }).unwrap();
        prop_assert!(whole);
        let expected: Vec<Entry> = entries.into_iter().filter(|e| e.offset >= from).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn a_damaged_block_is_an_error_or_other_records_but_no_panic(
        (first, entries) in entries(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = build(first, &entries).to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let Ok(block) = Block::parse(first, bytes.into()) else { return Ok(()) };
        let mut least = first;
        let _damaged = block.each(0, |entry| {
            assert!(entry.offset >= least && entry.offset < block.next, "offsets grow within the block");
            least = entry.offset + 1;
            true
        });
    }

    #[test]
    fn random_bytes_are_no_block(bytes in vec(any::<u8>(), 0..200), first in any::<u64>()) {
        if let Ok(block) = Block::parse(first, bytes.into()) {
            let _damaged = block.each(first, |_| true);
        }
    }

    #[test]
    fn every_cut_of_a_block_is_noticed((first, entries) in entries()) {
        let whole = build(first, &entries);
        for length in 0..whole.len() {
            let read = Block::parse(first, whole.slice(..length)).and_then(|b| b.each(0, |_| true));
            prop_assert!(read.is_err(), "cut at {} of {}", length, whole.len());
        }
    }

    #[test]
    fn topics_and_bounds_give_back_what_was_put_in(
        id in any::<u32>(),
        partitions in 1..u32::MAX,
        age in option::of(0..u64::MAX / 2),
        max_bytes in option::of(0..u64::MAX / 2),
        (earliest, more) in (0..u64::MAX / 2, 0..u64::MAX / 2),
        seen_ms in any::<i64>(),
    ) {
        for cleanup in [Cleanup::Compact, Cleanup::Delete { retention: age.map(Duration::from_millis), max_bytes }] {
            let meta = TopicMeta { id, partitions, cleanup };
            prop_assert_eq!(TopicMeta::decode(meta.encode().into()).unwrap(), meta);
        }
        let meta = PartitionMeta { earliest, next: earliest + more, seen_ms, end_bytes: more };
        let bytes = Bytes::from(meta.encode());
        prop_assert_eq!(PartitionMeta::decode(bytes.clone()).unwrap(), meta);
        prop_assert!(PartitionMeta::decode(bytes.slice(..bytes.len() - 1)).is_err());
    }

    #[test]
    fn random_bytes_are_no_topic(bytes in vec(any::<u8>(), 0..60)) {
        let bytes = Bytes::from(bytes);
        if let Ok(meta) = TopicMeta::decode(bytes.clone()) {
            prop_assert!(meta.partitions > 0);
        }
        if let Ok(meta) = PartitionMeta::decode(bytes) {
            prop_assert!(meta.earliest <= meta.next);
        }
    }
}

#[test]
fn a_block_is_full_by_records_or_bytes() {
    let mut small = BlockBuilder::new(0);
    let mut count = 0;
    while !small.is_full() {
        small.push(count, 0, None, None, &Headers::default());
        count += 1;
    }
    assert_eq!(count, 1024);
    let mut large = BlockBuilder::new(0);
    large.push(0, 0, None, Some(&[0; 200_000]), &Headers::default());
    assert!(large.is_full());
}
