//! Why nothing can be done with dead letters.

use super::LetterId;
use crate::broker::BrokerError;

/// Why dead letters could not be looked at, sent back or discarded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LettersError {
    /// The dead-letter topic does not exist.
    #[error(
        "there is no dead-letter topic `{topic}` in this log; start the topology once, or check source.dead_letters"
    )]
    NoTopic {
        /// Its name.
        topic: String,
    },
    /// The topic for what was done with letters does not exist.
    #[error("there is no topic `{topic}` to note what is done with letters; start the topology once")]
    NoMarks {
        /// Its name.
        topic: String,
    },
    /// There is no such letter.
    #[error("there is no letter {id}: {why}; `dead-letters list` shows them")]
    Unknown {
        /// What was asked for.
        id: LetterId,
        /// What there is instead.
        why: String,
    },
    /// A payload was given for other than one letter.
    #[error("a new payload is for exactly one letter, these are {count}; name it as P:O")]
    NotOne {
        /// How many there are.
        count: usize,
    },
    /// The log failed while letters were sent back or discarded.
    #[error("stopped after {done} of {of} letters, the others are as they were: {source}")]
    Interrupted {
        /// How many are done and marked.
        done: u64,
        /// How many were to be.
        of: u64,
        /// What happened.
        source: Box<BrokerError>,
    },
    /// The log failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}
