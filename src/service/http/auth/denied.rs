//! Answers to those who may not.

use axum::http::HeaderValue;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};

use crate::service::http::{Code, Problem};

/// A refusal, and how to say who one is.
pub(super) fn denied(code: Code, detail: impl Into<String>, challenge: &'static str) -> Box<Response> {
    let mut answer = Problem::new(code, detail).into_response();
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    Box::new(answer)
}
