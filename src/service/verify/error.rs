//! Why nothing can be said of records.

use crate::broker::BrokerError;
use crate::delivery::letters::LettersError;
use crate::store::StoreError;

/// Why records could not be verified or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The topic does not exist.
    #[error("there is no topic `{topic}` in this log; check source.topic and --data-dir")]
    NoTopic {
        /// Its name.
        topic: String,
    },
    /// A range that the log does not have.
    #[error("{0}")]
    Range(String),
    /// More records are set aside than may be held.
    #[error(
        "more than {max} records of the range wait or are dead letters; take a smaller range, or a greater \
         --max-aside"
    )]
    TooMany {
        /// How many may be.
        max: usize,
    },
    /// The missing ranges could not be written.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What happened.
        source: std::io::Error,
    },
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The dead letters could not be read.
    #[error(transparent)]
    Letters(#[from] LettersError),
    /// The log failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}
