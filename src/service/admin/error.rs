//! Why a command was not carried out.

use crate::broker::BrokerError;
use crate::control::ControlError;
use crate::control::backfill::BackfillError;
use crate::delivery::letters::LettersError;
use crate::service::verify::VerifyError;

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
    /// The configuration names no topic for dead letters.
    #[error("the configuration of `{topology}` names no dead-letter topic; set source.dead_letters")]
    NoDeadLetters {
        /// The topology.
        topology: String,
    },
    /// The configuration names no topic.
    #[error("the configuration of `{topology}` names no topic; set source.topic")]
    NoTopic {
        /// The topology.
        topology: String,
    },
    /// A command line that contradicts itself, or a file that cannot be read.
    #[error("{0}")]
    Invalid(String),
    /// What was asked for would do harm.
    #[error("{0}")]
    Refused(String),
    /// Something about a backfill.
    #[error(transparent)]
    Backfill(Box<BackfillError>),
    /// Something about dead letters.
    #[error(transparent)]
    Letters(#[from] LettersError),
    /// Records could not be verified or found.
    #[error(transparent)]
    Verify(Box<VerifyError>),
    /// The change or the look at it failed.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The log failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl From<VerifyError> for AdminError {
    fn from(error: VerifyError) -> Self {
        Self::Verify(Box::new(error))
    }
}
