//! Errors of commands as problems.

use std::time::Duration;

use crate::control::ControlError;
use crate::service::admin::AdminError;
use crate::service::http::{Code, Problem};

/// When to come again while the log is away.
const AGAIN: Duration = Duration::from_secs(1);

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::UnknownName(detail) => {
                Self::new(Code::NotFound, detail.replace("--force", "`\"force\": true`"))
            }
            AdminError::Control(error) => error.into(),
            AdminError::Invalid(detail) | AdminError::Refused(detail) => Self::new(Code::InvalidRequest, detail),
            error => away(&error),
        }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::BadValue { .. } => {
                Self::new(Code::InvalidRequest, error.to_string()).with("parameter", "value")
            }
            ControlError::BadSeek(detail) => Self::new(Code::InvalidRequest, detail),
            error => away(&error),
        }
    }
}

/// What the log says may name servers, so it is for the log of this process.
fn away(error: &dyn std::error::Error) -> Problem {
    tracing::warn!(%error, "an admin request could not be answered");
    Problem::new(
        Code::LogUnavailable,
        "the log of this topology cannot be asked now; this service's own log says why",
    )
    .retry_after(AGAIN)
}
