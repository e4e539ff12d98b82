//! The OpenAPI document, made from the handlers and types.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};

use super::handlers;

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "User behaviour: query",
        description = "What users did, newest first, within a moment after it arrived. Errors are problem documents \
                       (RFC 9457) whose `code` does not change. A caller who has no use for an answer after a while says \
                       so: `x-request-timeout-ms: 200` has the work dropped and `504` answered by then, or when the \
                       service's own deadline is nearer, at that. `HEAD` is answered as `GET` is. Beside these paths \
                       there are `/healthz`, `/readyz` and `/metrics`; any other is `404` with `not_found`, any other \
                       method of a path `405` with `method_not_allowed`, after keys and limits. Headers that are too long or too many are \
                       `431`, and what is no HTTP is `400`, both without a document; the connection ends with them."
    ),
    paths(handlers::behaviours, handlers::profile, handlers::many, handlers::openapi),
    components(schemas(Record, ProblemDocument)),
    modifiers(&AppKey),
    security((), ("app_key" = []))
)]
pub struct ApiDocument;

/// How an application says who it is.
struct AppKey;

impl Modify for AppKey {
    fn modify(&self, document: &mut Document) {
        let what = "The key of an application; needed where the configuration names applications (`[query.apps]`)";
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("x-app-key", what)));
        document.components.get_or_insert_default().add_security_scheme("app_key", scheme);
    }
}

/// A record, as it was accepted.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "event_id": "e-1", "user_id": "u-42", "app_id": "trip", "channel": "app", "business": "hotel", "action": "view",
    "item_id": "hotel-7", "occurred_at": 1_767_225_599_000_i64, "attributes": { "city": "上海", "nights": 2 }
}))]
pub(super) struct Record {
    /// Unique per user; 1 to 64 bytes.
    event_id: String,
    /// Who did it; 1 to 64 bytes.
    user_id: String,
    /// Which application reported it; 1 to 32 bytes.
    app_id: String,
    /// `app`, `online` or `h5`.
    channel: String,
    /// Line of business; 1 to 32 bytes.
    business: String,
    /// What was done; 1 to 32 bytes.
    action: String,
    /// What it was done to; up to 128 bytes.
    item_id: String,
    /// When, in milliseconds since the Unix epoch.
    occurred_at: i64,
    /// Everything else: texts, numbers and truth values by name.
    #[schema(value_type = Object)]
    attributes: BTreeMap<String, serde_json::Value>,
}

/// What is wrong.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:squall:problem:invalid_request", "title": "the request is not valid", "status": 400,
    "code": "invalid_request", "detail": "limit is `0`, valid are 1 to 200", "parameter": "limit"
}))]
pub(super) struct ProblemDocument {
    /// The code as a name.
    r#type: String,
    /// The same for every occurrence.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong, as a program tells it apart.
    code: String,
    /// What is wrong this time, for people.
    detail: String,
    /// Which parameter is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// Which header is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
}

/// What any request may be answered.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only its description is used")]
pub(super) enum Problems {
    /// `invalid_request`: a parameter or a header is not as it must be; `parameter` or `header` says which.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemDocument),
    /// `unauthorized`: an application key is needed.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemDocument),
    /// `rate_limited`: a limit was reached; `Retry-After` says for how long.
    #[response(
        status = 429,
        content_type = "application/problem+json",
        headers(("retry-after" = u32, description = "Seconds until it makes sense to try again"))
    )]
    RateLimited(ProblemDocument),
    /// `internal`: something went wrong here.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemDocument),
    /// `deadline_exceeded`: the answer would have come too late.
    #[response(status = 504, content_type = "application/problem+json")]
    Late(ProblemDocument),
}

/// What a request may be answered besides that is for no store.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only its description is used")]
pub(super) enum ShedProblems {
    /// `overloaded`: there is too much to do; `Retry-After` says when to try again.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("retry-after" = u32, description = "Seconds until it makes sense to try again"))
    )]
    Overloaded(ProblemDocument),
}

/// What a question to the stores may be answered besides.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only its description is used")]
pub(super) enum StoreProblems {
    /// `store_unavailable` or `overloaded`; `Retry-After` says when to try again.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("retry-after" = u32, description = "Seconds until it makes sense to try again"))
    )]
    Unavailable(ProblemDocument),
}

/// What a question with a body may be answered besides.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only its description is used")]
pub(super) enum BodyProblems {
    /// `request_timeout`: the body took too long to arrive.
    #[response(status = 408, content_type = "application/problem+json")]
    Slow(ProblemDocument),
    /// `too_large`: the body has too many bytes.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDocument),
    /// `unsupported_media_type`: the body is not `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    Unsupported(ProblemDocument),
}
