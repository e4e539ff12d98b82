//! Takes a body whole, within its bounds.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use crate::service::http::{Code, HttpSettings, Problem};

/// How much, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyBounds {
    bytes: usize,
    time: Duration,
}

impl BodyBounds {
    pub(super) fn of(settings: &HttpSettings) -> Self {
        Self { bytes: settings.max_body_bytes, time: settings.body_timeout }
    }

    /// One that says that it is too large is refused before anything of it is read.
    async fn take(self, body: Body) -> Result<Bytes, Problem> {
        if body.size_hint().lower() > self.bytes as u64 {
            return Err(self.too_large());
        }
        match timeout(self.time, Limited::new(body, self.bytes).collect()).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(self.too_large()),
            // Nobody may be there to read it.
            Ok(Err(_)) => {
                Err(Problem::new(Code::InvalidRequest, "the body broke off or is not encoded as HTTP says"))
            }
            Err(_) => {
                let ms = self.time.as_millis() as u64;
                let detail = format!("the body did not arrive within {ms} ms; send less at once");
                Err(Problem::new(Code::RequestTimeout, detail).with("timeout_ms", ms))
            }
        }
    }

    fn too_large(self) -> Problem {
        let detail = format!("the body has more than {} bytes; send less at once", self.bytes);
        Problem::new(Code::TooLarge, detail).with("max_bytes", self.bytes)
    }
}

/// The body as one piece of memory for all that comes after. A caller whose body is refused is told that its connection
/// ends: the rest of the body stands where the next request would.
pub(super) async fn take_whole(State(bounds): State<BodyBounds>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match bounds.take(body).await {
        Ok(whole) => next.run(Request::from_parts(parts, Body::from(whole))).await,
        Err(problem) => {
            let mut response = problem.into_response();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}
