//! Which pages may post.

use std::time::Duration;

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, Method};
use squall::service::http::auth::APP_KEY;
use squall::service::http::{REQUEST_ID, REQUEST_TIMEOUT, TRACEPARENT};
use tower_http::cors::{Any, CorsLayer};

use super::CollectorSettings;

/// For how long a browser remembers that it may post.
const AGE: Duration = Duration::from_secs(3600);

/// What lets pages of other origins post, and read the answers; none when the configuration names none. A beacon needs no
/// leave: browsers send it unasked. It belongs round everything that answers: a browser asks before it posts, with a
/// method that no route has, and shows a page no answer that lacks the leave, a `429` no more than a `202`.
pub fn cors(settings: &CollectorSettings) -> Option<CorsLayer> {
    let origins = &settings.cors_origins;
    if origins.is_empty() {
        return None;
    }
    let own = [APP_KEY, TRACEPARENT, REQUEST_TIMEOUT].map(HeaderName::from_static);
    let headers: Vec<_> = [CONTENT_TYPE, CONTENT_ENCODING].into_iter().chain(own).collect();
    let cors = CorsLayer::new()
        .allow_methods([Method::POST])
        .allow_headers(headers)
        .expose_headers([RETRY_AFTER, HeaderName::from_static(REQUEST_ID)])
        .max_age(AGE);
    Some(match origins.iter().any(|origin| origin == "*") {
        true => cors.allow_origin(Any),
        // A beacon is sent with the cookies of the page's user, and a browser then wants to hear that this is welcome.
        false => cors.allow_origin(origins.clone()).allow_credentials(true),
    })
}
