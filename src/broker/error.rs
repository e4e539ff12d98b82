//! Everything that can go wrong with the log.

use std::path::PathBuf;

use crate::topology::{Class, Classify};

/// An error of a log implementation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The topic does not exist.
    #[error("topic `{topic}` does not exist")]
    UnknownTopic {
        /// Its name.
        topic: String,
    },
    /// The topic has no such partition.
    #[error("topic `{topic}` has no partition {partition}")]
    UnknownPartition {
        /// Topic name.
        topic: String,
        /// The partition asked for.
        partition: u32,
    },
    /// The topic exists, otherwise than asked for.
    #[error("topic `{topic}` exists with {actual} partitions, {wanted} were asked for")]
    TopicMismatch {
        /// Topic name.
        topic: String,
        /// Partitions it has.
        actual: u32,
        /// Partitions asked for.
        wanted: u32,
    },
    /// A name or number that no log takes.
    #[error("invalid {what}: {reason}")]
    Invalid {
        /// What is invalid.
        what: &'static str,
        /// Why, and what is valid.
        reason: String,
    },
    /// The offset is not in the log (any more).
    #[error("offset {offset} of {topic}[{partition}] is outside {earliest}..{latest}")]
    OutOfRange {
        /// Topic name.
        topic: String,
        /// Partition.
        partition: u32,
        /// The offset asked for.
        offset: u64,
        /// Oldest offset held.
        earliest: u64,
        /// Offset of the next record.
        latest: u64,
    },
    /// The record is larger than the log takes.
    #[error("record of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Size of the record in bytes.
        size: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// The group has members, so its offsets cannot be moved from outside.
    #[error("group `{group}` has active members; stop them first")]
    GroupActive {
        /// Group name.
        group: String,
    },
    /// No answer in time. Whether the call had an effect is unknown.
    #[error("{what} took longer than {after_ms} ms")]
    Timeout {
        /// What was waited for.
        what: String,
        /// The bound in milliseconds.
        after_ms: u64,
    },
    /// What was under way was given up, and can be tried again. Whether it had an effect is unknown.
    #[error("{what} was interrupted: {reason}")]
    Interrupted {
        /// What was under way.
        what: String,
        /// What interrupted it.
        reason: String,
    },
    /// The servers cannot be reached.
    #[error("cannot reach kafka at {address}: {reason}; is it running, and is `broker.kafka.bootstrap` right?")]
    Unreachable {
        /// `host:port` list.
        address: String,
        /// What the client reported.
        reason: String,
    },
    /// The data directory is in use by another process.
    #[error("data directory {path} is in use by another process; stop it or choose another --data-dir")]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The process that has the embedded log open does not answer, not any more, or not to one more. Whether the
    /// call had an effect is unknown.
    #[error("cannot use the log at {socket}: {reason}")]
    Remote {
        /// The socket at which it served.
        socket: PathBuf,
        /// What happened, and what to do.
        reason: String,
    },
    /// The disk under the embedded log is full. Nothing was acknowledged that is not stored.
    #[error("no space left for {path}; free some and start again")]
    DiskFull {
        /// The directory.
        path: PathBuf,
    },
    /// The log has shut down, or lost its lease on what was asked.
    #[error("{what} is closed")]
    Closed {
        /// What is closed.
        what: &'static str,
    },
    /// The storage under the embedded log failed.
    #[error("embedded log: {context}")]
    Storage {
        /// What was being done.
        context: &'static str,
        /// The storage engine's error.
        #[source]
        source: fjall::Error,
    },
    /// Bytes in the embedded log that this version cannot read.
    #[error("embedded log is damaged or newer than this program: {context}")]
    Corrupt {
        /// What was being read.
        context: String,
    },
    /// Kafka answered with an error.
    #[error("kafka: {context}")]
    Kafka {
        /// What was being done.
        context: String,
        /// The client's error.
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// The operating system refused something.
    #[error("{context}")]
    Io {
        /// What was being done.
        context: String,
        /// The error.
        #[source]
        source: std::io::Error,
    },
}

impl Classify for BrokerError {
    fn class(&self) -> Class {
        match self {
            Self::TooLarge { .. } => Class::Poison,
            Self::Timeout { .. } | Self::Interrupted { .. } | Self::Unreachable { .. } | Self::Remote { .. } => {
                Class::Retryable
            }
            Self::Kafka { source, .. } => super::kafka::class_of(source),
            Self::UnknownTopic { .. }
            | Self::UnknownPartition { .. }
            | Self::TopicMismatch { .. }
            | Self::Invalid { .. }
            | Self::OutOfRange { .. }
            | Self::GroupActive { .. }
            | Self::Locked { .. }
            | Self::DiskFull { .. }
            | Self::Closed { .. }
            | Self::Storage { .. }
            | Self::Corrupt { .. }
            | Self::Io { .. } => Class::Fatal,
        }
    }
}
