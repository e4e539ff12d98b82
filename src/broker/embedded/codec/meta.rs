//! Topics, bounds and commits.

use std::time::Duration;

use bytes::Bytes;

use super::fields::{put_varint, put_zigzag};
use super::reader::Reader;
use crate::broker::commit::{remark, remark_of};
use crate::broker::{BrokerError, Cleanup, Commit, Note};

const VERSION: u8 = 1;

/// What is stored of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct TopicMeta {
    pub(in super::super) id: u32,
    pub(in super::super) partitions: u32,
    pub(in super::super) cleanup: Cleanup,
}

impl TopicMeta {
    pub(in super::super) fn encode(&self) -> Vec<u8> {
        let mut buf = vec![VERSION];
        put_varint(&mut buf, u64::from(self.id));
        put_varint(&mut buf, u64::from(self.partitions));
        match self.cleanup {
            Cleanup::Compact => buf.push(1),
            Cleanup::Delete { retention, max_bytes } => {
                buf.push(0);
                // A retention that no clock reaches is the same as none.
                let age = retention.and_then(|age| u64::try_from(age.as_millis()).ok());
                for limit in [age, max_bytes] {
                    put_varint(&mut buf, limit.map_or(0, |n| n.saturating_add(1)));
                }
            }
        }
        buf
    }

    pub(in super::super) fn decode(bytes: Bytes) -> Result<Self, BrokerError> {
        Self::read(&bytes).ok_or_else(|| BrokerError::Corrupt { context: "description of a topic".into() })
    }

    fn read(bytes: &Bytes) -> Option<Self> {
        let mut reader = Reader::new(bytes, 0);
        if reader.byte()? != VERSION {
            return None;
        }
        let id = u32::try_from(reader.varint()?).ok()?;
        let partitions = u32::try_from(reader.varint()?).ok().filter(|n| *n > 0)?;
        let cleanup = match reader.byte()? {
            0 => {
                let retention = reader.varint()?.checked_sub(1).map(Duration::from_millis);
                Cleanup::Delete { retention, max_bytes: reader.varint()?.checked_sub(1) }
            }
            1 => Cleanup::Compact,
            _ => return None,
        };
        reader.is_done().then_some(Self { id, partitions, cleanup })
    }
}

/// What is stored of a partition beside its blocks, since these may all have gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct PartitionMeta {
    pub(in super::super) earliest: u64,
    pub(in super::super) next: u64,
    pub(in super::super) seen_ms: i64,
    pub(in super::super) end_bytes: u64,
}

impl PartitionMeta {
    /// Of a partition that never had a record.
    pub(in super::super) const EMPTY: Self = Self { earliest: 0, next: 0, seen_ms: i64::MIN, end_bytes: 0 };

    pub(in super::super) fn encode(&self) -> Vec<u8> {
        let mut buf = vec![VERSION];
        put_varint(&mut buf, self.earliest);
        put_varint(&mut buf, self.next);
        put_zigzag(&mut buf, self.seen_ms);
        put_varint(&mut buf, self.end_bytes);
        buf
    }

    pub(in super::super) fn decode(bytes: Bytes) -> Result<Self, BrokerError> {
        Self::read(&bytes).ok_or_else(|| BrokerError::Corrupt { context: "bounds of a partition".into() })
    }

    fn read(bytes: &Bytes) -> Option<Self> {
        let mut reader = Reader::new(bytes, 0);
        if reader.byte()? != VERSION {
            return None;
        }
        let meta = Self {
            earliest: reader.varint()?,
            next: reader.varint()?,
            seen_ms: reader.zigzag()?,
            end_bytes: reader.varint()?,
        };
        (reader.is_done() && meta.earliest <= meta.next).then_some(meta)
    }
}

/// A commit as bytes: the offset, big-endian, and the text of what is said beside it. A clean one is the offset alone.
pub(in super::super) fn commit(commit: &Commit) -> Vec<u8> {
    let mut bytes = commit.offset.to_be_bytes().to_vec();
    bytes.extend_from_slice(remark(commit.note, commit.seek).as_bytes());
    bytes
}

/// The committed offset in `bytes`, with the note and the seek beside it.
pub(in super::super) fn commit_of(bytes: &[u8]) -> Result<(u64, Note, u64), BrokerError> {
    let damaged = || BrokerError::Corrupt { context: "committed offset".into() };
    let (offset, text) = bytes.split_first_chunk().ok_or_else(damaged)?;
    let (note, seek) = remark_of(std::str::from_utf8(text).map_err(|_| damaged())?);
    Ok((u64::from_be_bytes(*offset), note, seek))
}
