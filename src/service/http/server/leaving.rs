//! The body of an answer, as it leaves.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body as AnyBody, Bytes};
use hyper::body::{Body, Frame, SizeHint};

use super::ended::Tally;
use super::progress::Progress;

/// A request that runs: from its headers until its answer is handed over or dropped.
pub(super) struct RunningRequest {
    tally: Arc<Tally>,
    progress: Progress,
}

impl RunningRequest {
    pub(super) fn begin(tally: Arc<Tally>, progress: Progress) -> Self {
        tally.begin();
        progress.begin();
        Self { tally, progress }
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        self.progress.end();
        self.tally.end();
    }
}

/// Ends the request when hyper has taken all of it, or drops it.
pub(super) struct Leaving {
    body: AnyBody,
    _request: RunningRequest,
}

impl Leaving {
    pub(super) fn new(body: AnyBody, request: RunningRequest) -> Self {
        Self { body, _request: request }
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
