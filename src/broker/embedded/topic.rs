//! What is known of a topic in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::codec::{PartitionMeta, TopicMeta};
use crate::broker::{Bounds, BrokerError, Cleanup, TopicInfo};

/// A topic. Readers see its bounds move; only the writer and upkeep move them.
pub(super) struct Topic {
    pub(super) id: u32,
    pub(super) name: Arc<str>,
    pub(super) cleanup: Cleanup,
    partitions: Box<[Partition]>,
    deleted: AtomicBool,
    turn: AtomicU32,
    /// Told when a partition grew, lost records, or the topic was deleted.
    pub(super) changed: Notify,
}

/// A partition.
pub(super) struct Partition {
    earliest: AtomicU64,
    latest: AtomicU64,
    seen_ms: AtomicI64,
    end_bytes: AtomicU64,
}

impl Topic {
    pub(super) fn new(name: Arc<str>, meta: &TopicMeta, partitions: &[PartitionMeta]) -> Self {
        let partitions = partitions.iter().map(|p| Partition {
            earliest: p.earliest.into(),
            latest: p.next.into(),
            seen_ms: p.seen_ms.into(),
            end_bytes: p.end_bytes.into(),
        });
        Self {
            id: meta.id,
            name,
            cleanup: meta.cleanup,
            partitions: partitions.collect(),
            deleted: AtomicBool::new(false),
            turn: AtomicU32::new(0),
            changed: Notify::new(),
        }
    }

    pub(super) fn info(&self) -> TopicInfo {
        TopicInfo { name: self.name.to_string(), partitions: self.count() }
    }

    /// Number of partitions.
    pub(super) fn count(&self) -> u32 {
        self.partitions.len() as u32
    }

    pub(super) fn partition(&self, partition: u32) -> Result<&Partition, BrokerError> {
        self.partitions
            .get(partition as usize)
            .ok_or_else(|| BrokerError::UnknownPartition { topic: self.name.to_string(), partition })
    }

    pub(super) fn bounds(&self) -> Vec<Bounds> {
        let bounds = |(at, p): (usize, &Partition)| Bounds {
            partition: at as u32,
            earliest: p.earliest(),
            latest: p.latest(),
        };
        self.partitions.iter().enumerate().map(bounds).collect()
    }

    /// The partition for the next record without key.
    pub(super) fn next_in_turn(&self) -> u32 {
        self.turn.fetch_add(1, Ordering::Relaxed) % self.count()
    }

    /// # Errors
    /// [`BrokerError::UnknownTopic`] when it has been deleted.
    pub(super) fn check(&self) -> Result<(), BrokerError> {
        if self.deleted.load(Ordering::Acquire) {
            return Err(BrokerError::UnknownTopic { topic: self.name.to_string() });
        }
        Ok(())
    }

    /// Makes every use of the topic fail from now on.
    pub(super) fn delete(&self) {
        self.deleted.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }
}

impl Partition {
    /// Offset of the oldest record that may be read.
    pub(super) fn earliest(&self) -> u64 {
        self.earliest.load(Ordering::Acquire)
    }

    /// Offset of the next record.
    pub(super) fn latest(&self) -> u64 {
        self.latest.load(Ordering::Acquire)
    }

    /// All of it, as it is stored.
    pub(super) fn meta(&self) -> PartitionMeta {
        PartitionMeta {
            earliest: self.earliest(),
            next: self.latest(),
            seen_ms: self.seen_ms.load(Ordering::Acquire),
            end_bytes: self.end_bytes.load(Ordering::Acquire),
        }
    }

    /// Shows appended records to readers. Called by the writer alone, when they are durable.
    pub(super) fn grow(&self, next: u64, seen_ms: i64, end_bytes: u64) {
        self.seen_ms.store(seen_ms, Ordering::Release);
        self.end_bytes.store(end_bytes, Ordering::Release);
        self.latest.store(next, Ordering::Release);
    }

    /// Hides records below `earliest`. Called before they are deleted, so that no reader takes what is gone for
    /// holes.
    pub(super) fn forget(&self, earliest: u64) {
        self.earliest.fetch_max(earliest, Ordering::AcqRel);
    }
}
