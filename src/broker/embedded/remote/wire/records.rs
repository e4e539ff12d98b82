//! Records, to be appended and fetched.

use std::sync::Arc;

use super::super::super::codec::{Block, BlockBuilder, Reader, put_bytes, put_optional, put_varint, put_zigzag};
use super::parts::{maybe, number, put_maybe, put_text, text};
use crate::broker::{Append, Fetched};
use crate::topology::{Headers, Origin, Record};

pub(super) fn put_append(buf: &mut Vec<u8>, record: &Append) {
    put_maybe(buf, record.partition, |buf, partition| put_varint(buf, u64::from(partition)));
    put_optional(buf, record.key.as_deref());
    put_optional(buf, record.value.as_deref());
    put_maybe(buf, record.timestamp_ms, put_zigzag);
    put_varint(buf, record.headers.len() as u64);
    for (name, value) in record.headers.iter() {
        put_text(buf, name);
        put_bytes(buf, value);
    }
}

pub(super) fn append(from: &mut Reader<'_>) -> Option<Append> {
    let partition = maybe(from, number)?;
    let (key, value) = (from.optional()?, from.optional()?);
    let timestamp_ms = maybe(from, Reader::zigzag)?;
    let mut headers = Headers::default();
    for _ in 0..from.varint()? {
        let length = from.length()?;
        let name = std::str::from_utf8(from.slice(length)?).ok()?;
        let length = from.length()?;
        headers.push(name, from.bytes(length)?);
    }
    Some(Append { partition, key, value, headers, timestamp_ms })
}

/// The records stand as a block, as they do on disk.
pub(super) fn put_fetched(buf: &mut Vec<u8>, fetched: &Fetched) {
    let first = fetched.records.first().map_or(fetched.next, |record| record.origin.offset);
    let mut block = BlockBuilder::new(first);
    for Record { origin, key, headers, timestamp_ms, value } in &fetched.records {
        block.push(origin.offset, *timestamp_ms, key.as_deref(), value.as_deref(), headers);
    }
    put_text(buf, fetched.records.first().map_or("", |record| &record.origin.topic));
    for n in [u64::from(fetched.partition), u64::from(fetched.epoch), fetched.next, first] {
        put_varint(buf, n);
    }
    put_bytes(buf, &block.finish_until(fetched.next, 0, 0));
}

pub(super) fn fetched(from: &mut Reader<'_>) -> Option<Fetched> {
    let topic: Arc<str> = text(from)?.into();
    let (partition, epoch) = (number(from)?, number(from)?);
    let (next, first) = (from.varint()?, from.varint()?);
    let length = from.length()?;
    let block = Block::parse(first, from.bytes(length)?).ok()?;
    let mut records = Vec::new();
    let whole = block.each(first, |entry| {
        let origin = Origin { topic: topic.clone(), partition, offset: entry.offset, attempt: 0 };
        let (key, headers, timestamp_ms) = (entry.key, entry.headers, entry.timestamp_ms);
        records.push(Record { origin, key, headers, timestamp_ms, value: entry.value });
        true
    });
    (whole.ok()? && block.next == next).then_some(Fetched { partition, epoch, records, next })
}
