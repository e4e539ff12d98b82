//! What a topic is declared as, and what is known of one.

use std::time::Duration;

/// What the log does with old records of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Records older than the age, or beyond the size per partition, may be deleted. `None` = never.
    Delete {
        /// Age after which a record may go.
        retention: Option<Duration>,
        /// Bytes a partition may hold before its oldest records go.
        max_bytes: Option<u64>,
    },
    /// Only the newest record of each key is kept; a record without value deletes its key.
    Compact,
}

/// How a topic is to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name, 1–249 characters of `[A-Za-z0-9._-]`.
    pub name: String,
    /// Number of partitions, at least 1.
    pub partitions: u32,
    /// What happens to old records.
    pub cleanup: Cleanup,
    /// Copies of each partition; the embedded log has one whatever this says.
    pub replication: u16,
}

impl TopicSpec {
    /// A topic that keeps its records for ever, with one replica.
    pub fn new(name: impl Into<String>, partitions: u32) -> Self {
        Self {
            name: name.into(),
            partitions,
            cleanup: Cleanup::Delete { retention: None, max_bytes: None },
            replication: 1,
        }
    }

    /// Keeps only the newest record of each key.
    #[must_use]
    pub fn compacted(mut self) -> Self {
        self.cleanup = Cleanup::Compact;
        self
    }

    /// Lets records go after `age`.
    #[must_use]
    pub fn retention(mut self, age: Duration) -> Self {
        self.cleanup = Cleanup::Delete { retention: Some(age), max_bytes: None };
        self
    }
}

/// A topic as it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
}

/// The offsets that a partition holds: `earliest..latest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Partition, counted from 0.
    pub partition: u32,
    /// Offset of the oldest record that may still be read.
    pub earliest: u64,
    /// Offset that the next record will get.
    pub latest: u64,
}
