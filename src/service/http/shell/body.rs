//! Takes a body whole, within its bounds.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower::{Layer, Service};

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
    metrics: Arc<HttpMetrics>,
}

/// The room that a body takes, until this is dropped.
struct Held {
    room: OwnedSemaphorePermit,
    counted: BodyHeld,
}

impl BodyBounds {
    pub(super) fn new(settings: &HttpSettings, metrics: HttpMetrics) -> Self {
        let room = Arc::new(Semaphore::new(settings.max_buffered_bytes.min(Semaphore::MAX_PERMITS)));
        let (bytes, time) = (settings.max_body_bytes, settings.body_timeout);
        Self { bytes, time, room, metrics: Arc::new(metrics) }
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

/// Puts [`TakeWhole`] round a service.
#[derive(Clone)]
pub(super) struct BodyLayer(pub(super) BodyBounds);

/// Gives a request on with its body as one piece of memory. A caller whose body is refused is told that its connection
/// ends: the rest of the body stands where the next request would.
#[derive(Clone)]
pub(super) struct TakeWhole<S> {
    bounds: BodyBounds,
    inner: S,
}

impl<S> Layer<S> for BodyLayer {
    type Service = TakeWhole<S>;

    fn layer(&self, inner: S) -> TakeWhole<S> {
        TakeWhole { bounds: self.0.clone(), inner }
    }
}

impl<S> Service<Request> for TakeWhole<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if request.body().is_end_stream() {
            return Box::pin(self.inner.call(request));
        }
        let fresh = self.inner.clone();
        // The one that was polled ready is the one to call.
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let bounds = self.bounds.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match bounds.take(body).await {
                Ok((whole, _held)) => inner.call(Request::from_parts(parts, Body::from(whole))).await,
                Err(problem) => {
                    let mut response = problem.into_response();
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                    Ok(response)
                }
            }
        })
    }
}
