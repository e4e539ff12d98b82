//! Errors as callers see them: RFC 9457 problem documents with codes that do not change.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// What is wrong, as a program tells it apart. Codes keep their word and their status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A parameter or the body is not as it must be.
    InvalidRequest,
    /// No token, or one that nobody knows.
    Unauthorized,
    /// The token does not allow this.
    Forbidden,
    /// There is nothing at this path.
    NotFound,
    /// There is something at this path, but not for this method.
    MethodNotAllowed,
    /// The body took too long to arrive.
    RequestTimeout,
    /// The body has more bytes or records than are allowed.
    TooLarge,
    /// The body's type or encoding is not one that is understood.
    UnsupportedMediaType,
    /// A limit was reached; `Retry-After` says for how long.
    RateLimited,
    /// Something went wrong here.
    Internal,
    /// There is more work than can be done.
    Overloaded,
    /// A store that the answer needs is away.
    StoreUnavailable,
    /// The log is away, and nothing more fits in front of it.
    LogUnavailable,
    /// The service is stopping.
    Stopping,
    /// The answer would have come too late.
    DeadlineExceeded,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 15] = [
        Self::InvalidRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::Internal,
        Self::Overloaded,
        Self::StoreUnavailable,
        Self::LogUnavailable,
        Self::Stopping,
        Self::DeadlineExceeded,
    ];

    /// The word in the document's `code`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::Overloaded => "overloaded",
            Self::StoreUnavailable => "store_unavailable",
            Self::LogUnavailable => "log_unavailable",
            Self::Stopping => "stopping",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded | Self::StoreUnavailable | Self::LogUnavailable | Self::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The document's `title`: the same for every occurrence.
    pub fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "the request is not valid",
            Self::Unauthorized => "a token is needed",
            Self::Forbidden => "the token does not allow this",
            Self::NotFound => "there is nothing here",
            Self::MethodNotAllowed => "the method is not allowed here",
            Self::RequestTimeout => "the request took too long to arrive",
            Self::TooLarge => "the request is too large",
            Self::UnsupportedMediaType => "the body is of an unknown kind",
            Self::RateLimited => "a limit is reached",
            Self::Internal => "something went wrong here",
            Self::Overloaded => "there is too much to do",
            Self::StoreUnavailable => "a store is away",
            Self::LogUnavailable => "the log is away",
            Self::Stopping => "the service is stopping",
            Self::DeadlineExceeded => "the answer would come too late",
        }
    }
}

/// An answer that says what is wrong: `application/problem+json` with `type`, `title`, `status`, `code`, `detail`, and
/// fields of its own. Never holds a secret, nor what a server said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: String,
    retry_after: Option<Duration>,
    fields: Map<String, Value>,
}

impl Problem {
    /// `detail` is for people: what is wrong this time, and what helps.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None, fields: Map::new() }
    }

    /// Says when it may be tried again, in whole seconds, at least one.
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds a field, such as the `parameter` that is wrong.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// What is wrong.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong this time.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The document.
    pub fn document(&self) -> Value {
        let mut document = self.fields.clone();
        let status = self.code.status().as_u16();
        // `about:blank` would say no more than the status; the code is a name that programs can keep.
        document.insert("type".into(), format!("urn:squall:problem:{}", self.code.as_str()).into());
        document.insert("title".into(), self.code.title().into());
        document.insert("status".into(), status.into());
        document.insert("code".into(), self.code.as_str().into());
        document.insert("detail".into(), self.detail.clone().into());
        Value::Object(document)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.code.status(), self.document().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_differ_and_are_errors() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| code.status().as_u16() >= 400));
    }

    #[test]
    fn an_answer_is_a_problem_document() {
        let problem = Problem::new(Code::RateLimited, "100 a second are allowed")
            .with("limit", "app")
            .retry_after(Duration::from_millis(1200));
        let document = problem.document();
        assert_eq!(document["type"], "urn:squall:problem:rate_limited");
        assert_eq!((&document["status"], &document["limit"]), (&429.into(), &"app".into()));
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.extensions().get::<Code>(), Some(&Code::RateLimited));
    }
}
