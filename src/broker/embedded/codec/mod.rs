//! How records and the rest stand on disk.
//!
//! A *block* holds records of one partition that were appended together:
//!
//! ```text
//! version u8 | count u32 | next u64 | base_ms i64 | max_ms i64 | seen_ms i64 | end_bytes u64 | records
//! record: length | offset - first | timestamp - base_ms | key | value | headers
//! ```
//!
//! Fixed numbers are little-endian; all others are LEB128, signed ones zigzag. A key or value is its length plus
//! one and its bytes; 0 means that there is none. `next` is the offset after the block, which compaction does not
//! change when it takes records out. `seen_ms` is the greatest timestamp of the partition up to the end of the
//! block and `end_bytes` the bytes appended to it: both only grow, so both can be searched.

mod block;
mod fields;
mod meta;
mod reader;

#[cfg(test)]
mod tests;

pub(super) use block::{Block, BlockBuilder, Entry};
pub(super) use fields::{put_bytes, put_optional, put_varint, put_zigzag};
pub(super) use meta::{PartitionMeta, TopicMeta, commit, commit_of};
pub(super) use reader::Reader;
