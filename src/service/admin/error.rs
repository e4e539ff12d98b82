//! Why a command was not carried out.

use crate::broker::BrokerError;
use crate::control::ControlError;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// A name that no worker knows.
    #[error("{0}")]
    UnknownName(String),
    /// There is no log where it should be.
    #[error("there is no log in {path}; give the --data-dir of the topology, or start it once")]
    NoLog {
        /// Where it should be.
        path: String,
    },
    /// The change or the look at it failed.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The log failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}
