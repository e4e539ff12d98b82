//! Takes a body whole, within its bounds.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::service::http::metrics::{BodyHeld, HttpMetrics};
use crate::service::http::{Code, HttpSettings, Problem};

/// When to come back when there is no room: a body is there within seconds, or gone.
const COME_BACK: Duration = Duration::from_secs(1);

/// How much, how long, and how much of all requests.
#[derive(Debug, Clone)]
pub(super) struct BodyBounds {
    bytes: usize,
    time: Duration,
    room: Arc<Semaphore>,
    metrics: HttpMetrics,
}

/// The room that a body takes, until this is dropped.
struct Held {
    room: OwnedSemaphorePermit,
    counted: BodyHeld,
}

impl BodyBounds {
    pub(super) fn new(settings: &HttpSettings, metrics: HttpMetrics) -> Self {
        let room = Arc::new(Semaphore::new(settings.max_buffered_bytes.min(Semaphore::MAX_PERMITS)));
        Self { bytes: settings.max_body_bytes, time: settings.body_timeout, room, metrics }
    }

    /// One that says that it is too large is refused before anything of it is read. Room is taken for what has arrived,
    /// not for what is announced: announcing costs a caller nothing.
    async fn take(&self, body: Body) -> Result<(Bytes, Held), Problem> {
        if body.size_hint().lower() > self.bytes as u64 {
            return Err(self.too_large());
        }
        timeout(self.time, self.gather(body)).await.unwrap_or_else(|_| Err(self.too_slow()))
    }

    async fn gather(&self, mut body: Body) -> Result<(Bytes, Held), Problem> {
        let mut held = Held { room: self.take_room(0)?, counted: self.metrics.body() };
        let mut only = Bytes::new();
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            // Nobody may be there to read it.
            let broken =
                |_| Problem::new(Code::InvalidRequest, "the body broke off or is not encoded as HTTP says");
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if data.len() > self.bytes - only.len().max(whole.len()) {
                return Err(self.too_large());
            }
            held.room.merge(self.take_room(data.len())?);
            held.counted.add(data.len());
            if only.is_empty() && whole.is_empty() {
                only = data;
                continue;
            }
            // Copied at once: many small pieces would keep more than their bytes.
            if whole.is_empty() {
                whole.extend_from_slice(&std::mem::take(&mut only));
            }
            whole.extend_from_slice(&data);
        }
        Ok((if whole.is_empty() { only } else { whole.into() }, held))
    }

    fn take_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let room =
            u32::try_from(bytes).ok().and_then(|bytes| self.room.clone().try_acquire_many_owned(bytes).ok());
        room.ok_or_else(|| {
            Problem::new(Code::Overloaded, "too many bodies arrive at once; try again").retry_after(COME_BACK)
        })
    }

    fn too_large(&self) -> Problem {
        let detail = format!("the body has more than {} bytes; send less at once", self.bytes);
        Problem::new(Code::TooLarge, detail).with("max_bytes", self.bytes)
    }

    fn too_slow(&self) -> Problem {
        let ms = self.time.as_millis() as u64;
        let detail = format!("the body did not arrive within {ms} ms; send less at once");
        Problem::new(Code::RequestTimeout, detail).with("timeout_ms", ms)
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
        Ok((whole, _held)) => next.run(Request::from_parts(parts, Body::from(whole))).await,
        Err(problem) => {
            let mut response = problem.into_response();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}
