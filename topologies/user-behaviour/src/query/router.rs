//! The routes.

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::QueryState;
use super::api::{behaviours, many, openapi, profile};

/// Bytes of a question for many users: 100 ids in any escaping take less.
const MAX_BODY: usize = 64 << 10;

/// The routes of the service. Unknown paths and methods are left to what surrounds it.
pub fn router(state: QueryState) -> axum::Router {
    axum::Router::new()
        .route("/v1/users/{user_id}/behaviours", get(behaviours))
        .route("/v1/users/{user_id}/profile", get(profile))
        .route("/v1/behaviours/query", post(many).layer(DefaultBodyLimit::max(MAX_BODY)))
        .route("/openapi.json", get(openapi))
        .with_state(state)
}
