//! What the answers look like.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use compact_str::CompactString;
use serde::Serialize;
use squall::service::http::{Code, Problem};
use squall::service::spill::DurableError;

use super::split::SplitError;

/// The answer to a body of which records were accepted: all of those are durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Accepted {
    /// How many were accepted.
    pub accepted: usize,
    /// Their event ids, in their order.
    #[schema(value_type = Vec<String>)]
    pub ids: Vec<CompactString>,
    /// The others.
    pub rejected: Vec<Rejected>,
}

/// A record that will never be accepted as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Rejected {
    /// Which one, counted from 0 over the records of the body.
    pub index: usize,
    /// The field at fault, such as `attributes.price`; `null` where the record as a whole cannot be read.
    pub field: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, axum::Json(self)).into_response()
    }
}

/// The answer when no record is any good.
pub(super) fn none_accepted(rejected: &[Rejected]) -> Problem {
    let first = rejected.first().map_or_else(String::new, |first| match &first.field {
        Some(field) => format!(": {field} {}", first.reason),
        None => format!(": {}", first.reason),
    });
    let detail = match rejected.len() {
        1 => format!("the record is not valid{first}"),
        many => format!("none of the {many} records is valid; the first{first}"),
    };
    let list = serde_json::to_value(rejected).expect("texts and numbers always encode");
    Problem::new(Code::InvalidRequest, detail).with("rejected", list)
}

/// The answer to a body that has no records.
pub(super) fn not_split(error: SplitError) -> Problem {
    match error {
        SplitError::TooMany(most) => Problem::new(Code::TooLarge, error.to_string()).with("max_records", most),
        SplitError::Empty => Problem::new(Code::InvalidRequest, error.to_string()),
        SplitError::Malformed { offset, line, column, .. } => {
            Problem::new(Code::InvalidRequest, error.to_string())
                .with("offset", offset)
                .with("line", line)
                .with("column", column)
        }
    }
}

/// The answer when records are not durable. What the disk or the log said of itself is in the log of this process only.
pub(super) fn not_durable(error: &DurableError) -> Problem {
    match error {
        DurableError::Unavailable { retry_after, .. } => {
            tracing::warn!(%error, "records are refused");
            let detail = "the log is away, and what may be kept in front of it is; send the same again later";
            Problem::new(Code::LogUnavailable, detail).retry_after(*retry_after)
        }
        DurableError::Late => {
            let detail = "the records were not durable in time; send the same again";
            Problem::new(Code::DeadlineExceeded, detail)
        }
        DurableError::Stopping => {
            let detail = "the service is stopping; send the same again";
            Problem::new(Code::Stopping, detail).retry_after(std::time::Duration::from_secs(1))
        }
        DurableError::Refused { .. } => {
            tracing::error!(%error, "the log refuses records that the rules allow; raise its limit");
            Problem::new(Code::Internal, "the log refuses these records")
        }
        _ => Problem::new(Code::Internal, "the records could not be made durable"),
    }
}
