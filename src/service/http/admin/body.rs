//! The body of a change.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::service::http::{Code, Problem};

/// Ten years: longer is a mistake.
const FOR_MAX_MS: u64 = 3660 * 86_400_000;

/// What is wanted, why, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    pub(super) value: String,
    pub(super) reason: String,
    #[serde(default)]
    for_ms: Option<u64>,
    #[serde(default)]
    pub(super) dry_run: bool,
    #[serde(default)]
    pub(super) force: bool,
}

impl Body {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, and how it is written.
    pub(super) fn read(bytes: Result<Bytes, BytesRejection>) -> Result<Self, Problem> {
        let bytes = bytes.map_err(|rejected| match rejected.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::TooLarge, "a change has at most 16 KiB"),
            _ => Problem::new(Code::InvalidRequest, "the body did not arrive whole"),
        })?;
        let body: Self = serde_json::from_slice(&bytes).map_err(|error| {
            let form = r#"{"value": "on", "reason": "upgrade", "for_ms": 1800000}"#;
            Problem::new(Code::InvalidRequest, format!("{error}; a change is such as {form}"))
        })?;
        let wrong = |parameter: &str, detail: &str| {
            Err(Problem::new(Code::InvalidRequest, detail).with("parameter", parameter))
        };
        if body.reason.trim().is_empty() {
            return wrong("reason", "say why, for those who look at it later");
        }
        if body.for_ms.is_some_and(|ms| !(1..=FOR_MAX_MS).contains(&ms)) {
            return wrong("for_ms", "for_ms is 1 to 316224000000, which is ten years; leave it out for good");
        }
        Ok(body)
    }

    pub(super) fn lasts(&self) -> Option<Duration> {
        self.for_ms.map(Duration::from_millis)
    }
}
