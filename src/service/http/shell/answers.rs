//! Problem documents for what no handler answers.

use std::any::Any;

use axum::response::{IntoResponse, Response};

use crate::service::http::{Code, Problem};

/// There is no such path.
pub(super) async fn not_found() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is nothing at this path; the service's documentation names those that there are",
    )
}

/// The path has other methods, which axum names in `Allow`.
pub(super) async fn not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "this path has other methods; the header `Allow` names them")
}

/// The panic hook has reported it; what it said stays here, since it may hold anything.
pub(super) fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked; its caller got a 500");
    Problem::new(Code::Internal, "the request met a fault of this service; its id is in `x-request-id`")
        .into_response()
}
