//! What can go wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::BrokerError;
use crate::topology::{Class, Classify};

/// An error of a spill. Nothing of the append that it answers was acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SpillError {
    /// There is no room for these records.
    #[error(
        "the spill holds {held} of {max} bytes and has no room for {wanted} more; bring the log back, or raise max_bytes"
    )]
    Full {
        /// Bytes held.
        held: u64,
        /// Bytes that these records need.
        wanted: u64,
        /// The bound.
        max: u64,
    },
    /// The record is larger than a log takes, so it could never be drained.
    #[error("record of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The folder is in use by another process.
    #[error("spill folder {path} is in use by another process; stop it, or choose another folder")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("spill: {context} {path}: {reason}")]
    Io {
        /// What was being done.
        context: &'static str,
        /// To what.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// The log that holds a segment failed.
    #[error("spill: {0}")]
    Disk(#[source] Arc<BrokerError>),
    /// The spill is closed.
    #[error("the spill is closed")]
    Closed,
}

impl SpillError {
    pub(super) fn io(context: &'static str, path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        Self::Io { context, path: path.into(), reason: error.to_string() }
    }
}

impl From<BrokerError> for SpillError {
    fn from(error: BrokerError) -> Self {
        Self::Disk(Arc::new(error))
    }
}

impl Classify for SpillError {
    fn class(&self) -> Class {
        match self {
            Self::Full { .. } => Class::Retryable,
            Self::TooLarge { .. } => Class::Poison,
            Self::Disk(error) => error.class(),
            Self::Locked { .. } | Self::Io { .. } | Self::Closed => Class::Fatal,
        }
    }
}

/// Why records are not durable.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DurableError {
    /// The log is away and the spill does not take them either. Nothing of them is promised; they may be sent again.
    #[error("the log is away, and {source}")]
    Unavailable {
        /// When asking again makes sense.
        retry_after: Duration,
        /// Why the spill does not take them.
        source: SpillError,
    },
    /// These records will never be taken.
    #[error("the records are refused: {reason}")]
    Refused {
        /// By whom and why.
        reason: String,
    },
    /// They were not known to be durable within the time that the caller gave. They may come to be all the same.
    #[error("the records were not durable in time")]
    Late,
    /// The producer is stopping.
    #[error("the producer is stopping")]
    Stopping,
}

impl Classify for DurableError {
    fn class(&self) -> Class {
        match self {
            Self::Unavailable { .. } | Self::Late | Self::Stopping => Class::Retryable,
            Self::Refused { .. } => Class::Poison,
        }
    }
}
