//! Records of one partition that stand together.

use bytes::Bytes;

use super::fields::{put_bytes, put_optional, put_varint, put_zigzag};
use super::reader::Reader;
use crate::broker::BrokerError;
use crate::topology::Headers;

const VERSION: u8 = 1;
const HEADER: usize = 45;
/// Records after which a block is full.
const FULL_RECORDS: u32 = 1024;
/// Bytes after which a block is full. What a reader keeps of a block keeps the whole block in memory.
const FULL_BYTES: usize = 128 * 1024;

/// A record inside a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Entry {
    pub(in super::super) offset: u64,
    pub(in super::super) timestamp_ms: i64,
    pub(in super::super) key: Option<Bytes>,
    pub(in super::super) value: Option<Bytes>,
    pub(in super::super) headers: Headers,
}

/// Builds a block, record by record.
pub(in super::super) struct BlockBuilder {
    buf: Vec<u8>,
    scratch: Vec<u8>,
    first: u64,
    next: u64,
    count: u32,
    base_ms: i64,
    max_ms: i64,
}

impl BlockBuilder {
    /// A block whose first offset is `first`.
    pub(in super::super) fn new(first: u64) -> Self {
        Self {
            buf: vec![0; HEADER],
            scratch: Vec::new(),
            first,
            next: first,
            count: 0,
            base_ms: 0,
            max_ms: i64::MIN,
        }
    }

    /// Adds a record; offsets grow.
    pub(in super::super) fn push(
        &mut self,
        offset: u64,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &Headers,
    ) {
        if self.count == 0 {
            self.base_ms = timestamp_ms;
        }
        let body = &mut self.scratch;
        body.clear();
        put_varint(body, offset - self.first);
        put_zigzag(body, timestamp_ms.wrapping_sub(self.base_ms));
        put_optional(body, key);
        put_optional(body, value);
        put_varint(body, headers.len() as u64);
        for (name, value) in headers.iter() {
            put_bytes(body, name.as_bytes());
            put_bytes(body, value);
        }
        put_bytes(&mut self.buf, body);
        self.next = offset + 1;
        self.count += 1;
        self.max_ms = self.max_ms.max(timestamp_ms);
    }

    /// Whether the block holds no record.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the next record belongs into another block.
    pub(in super::super) fn is_full(&self) -> bool {
        self.count >= FULL_RECORDS || self.buf.len() >= FULL_BYTES
    }

    /// The first offset.
    pub(in super::super) fn first(&self) -> u64 {
        self.first
    }

    /// The greatest timestamp.
    pub(in super::super) fn max_ms(&self) -> i64 {
        self.max_ms
    }

    /// Bytes of the block as it is.
    pub(in super::super) fn len(&self) -> usize {
        self.buf.len()
    }

    /// The block as it is stored.
    pub(in super::super) fn finish(self, seen_ms: i64, end_bytes: u64) -> Vec<u8> {
        let next = self.next;
        self.finish_until(next, seen_ms, end_bytes)
    }

    /// The block as it is stored, covering offsets to `next` although the last records may be gone.
    pub(in super::super) fn finish_until(mut self, next: u64, seen_ms: i64, end_bytes: u64) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER);
        header.push(VERSION);
        header.extend_from_slice(&self.count.to_le_bytes());
        header.extend_from_slice(&next.to_le_bytes());
        for time in [self.base_ms, self.max_ms, seen_ms] {
            header.extend_from_slice(&time.to_le_bytes());
        }
        header.extend_from_slice(&end_bytes.to_le_bytes());
        self.buf[..HEADER].copy_from_slice(&header);
        self.buf
    }
}

/// A stored block. Records are taken out without copying.
#[derive(Debug, Clone)]
pub(in super::super) struct Block {
    bytes: Bytes,
    first: u64,
    count: u32,
    base_ms: i64,
    /// Offset after the block.
    pub(in super::super) next: u64,
    /// Greatest timestamp in the block.
    pub(in super::super) max_ms: i64,
    /// Greatest timestamp of the partition up to the end of the block, deleted records included.
    pub(in super::super) seen_ms: i64,
    /// Bytes ever appended to the partition up to the end of the block.
    pub(in super::super) end_bytes: u64,
}

impl Block {
    /// Reads the header of the block whose first offset is `first`.
    ///
    /// # Errors
    /// [`BrokerError::Corrupt`] when it is no block, or one of a later version.
    pub(in super::super) fn parse(first: u64, bytes: Bytes) -> Result<Self, BrokerError> {
        let block = Self::read_header(first, bytes);
        block.filter(|b| b.next >= first).ok_or_else(|| damaged(first))
    }

    /// First offset, whether or not its record is still there.
    pub(in super::super) fn first(&self) -> u64 {
        self.first
    }

    /// Calls `take` with each record at or above `from` until it says that it has enough. `true` when all records
    /// were taken.
    ///
    /// # Errors
    /// [`BrokerError::Corrupt`].
    pub(in super::super) fn each(
        &self,
        from: u64,
        mut take: impl FnMut(Entry) -> bool,
    ) -> Result<bool, BrokerError> {
        let mut reader = Reader::new(&self.bytes, HEADER);
        let mut least = self.first;
        for n in 0..self.count {
            let entry = self.read_entry(&mut reader, from, least).ok_or_else(|| damaged(self.first))?;
            let Some(entry) = entry else { continue };
            least = entry.offset + 1;
            if !take(entry) {
                return Ok(n + 1 == self.count);
            }
        }
        if reader.is_done() { Ok(true) } else { Err(damaged(self.first)) }
    }

    fn read_header(first: u64, bytes: Bytes) -> Option<Self> {
        let mut reader = Reader::new(&bytes, 0);
        if reader.byte()? != VERSION {
            return None;
        }
        let count = u32::from_le_bytes(reader.fixed()?);
        let next = u64::from_le_bytes(reader.fixed()?);
        let base_ms = i64::from_le_bytes(reader.fixed()?);
        let max_ms = i64::from_le_bytes(reader.fixed()?);
        let seen_ms = i64::from_le_bytes(reader.fixed()?);
        let end_bytes = u64::from_le_bytes(reader.fixed()?);
        Some(Self { bytes, first, count, base_ms, next, max_ms, seen_ms, end_bytes })
    }

    /// `Some(None)` is a record below `from`.
    fn read_entry(&self, reader: &mut Reader<'_>, from: u64, least: u64) -> Option<Option<Entry>> {
        let length = reader.length()?;
        let end = reader.at() + length;
        let offset = self.first.checked_add(reader.varint()?)?;
        if offset < least || offset >= self.next {
            return None;
        }
        if offset < from {
            reader.skip(end.checked_sub(reader.at())?)?;
            return Some(None);
        }
        let timestamp_ms = self.base_ms.wrapping_add(reader.zigzag()?);
        let key = reader.optional()?;
        let value = reader.optional()?;
        let mut headers = Headers::default();
        for _ in 0..reader.varint()? {
            let length = reader.length()?;
            let name = std::str::from_utf8(reader.slice(length)?).ok()?;
            let length = reader.length()?;
            headers.push(name, reader.bytes(length)?);
        }
        (reader.at() == end).then_some(Some(Entry { offset, timestamp_ms, key, value, headers }))
    }
}

fn damaged(first: u64) -> BrokerError {
    BrokerError::Corrupt { context: format!("block of records at offset {first}") }
}
