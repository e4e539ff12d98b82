//! What can be wrong with a change.

use crate::broker::BrokerError;

/// Why a control record is none, or a change was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A key of a kind that this program does not know.
    #[error(
        "unknown control key `{key}`; known are switch/<name>, spout/<name>, limit/<name>, seek/<number> and backfill/<id>"
    )]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A value that the key does not take.
    #[error("`{value}` is no value of {key}; it is {valid}")]
    BadValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it may be.
        valid: &'static str,
    },
    /// A seek to where nothing is.
    #[error("{0}")]
    BadSeek(String),
    /// The record's value is not what a control record holds.
    #[error("not a control record: {0}")]
    BadRecord(#[source] serde_json::Error),
    /// The topology has no control topics.
    #[error("topology `{topology}` has no control topics in this log; start it once, or check its name")]
    NoTopics {
        /// Its name.
        topology: String,
    },
    /// The log failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}
