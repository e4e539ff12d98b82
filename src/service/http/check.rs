//! A layer that looks at a request before anything else does.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use tower::{Layer, Service};

/// Says whether a request may go on. It does not wait, and may put into the request's extensions what it found.
pub trait Check: Clone + Send + Sync + 'static {
    /// Called once for each request, before any of its body is read.
    ///
    /// # Errors
    /// The answer in the place of what would have been done.
    fn check(&self, request: &mut Request) -> Result<(), Box<Response>>;
}

/// Lets through what a [`Check`] lets pass.
#[derive(Debug, Clone)]
pub struct CheckLayer<C>(C);

impl<C: Check> CheckLayer<C> {
    /// With this check.
    pub fn new(check: C) -> Self {
        Self(check)
    }
}

impl<C: Check, S> Layer<S> for CheckLayer<C> {
    type Service = Checked<C, S>;

    fn layer(&self, inner: S) -> Checked<C, S> {
        Checked { check: self.0.clone(), inner }
    }
}

/// A service behind a [`Check`].
#[derive(Debug, Clone)]
pub struct Checked<C, S> {
    check: C,
    inner: S,
}

impl<C, S> Service<Request> for Checked<C, S>
where
    C: Check,
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match self.check.check(&mut request) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(answer) => Box::pin(std::future::ready(Ok(*answer))),
        }
    }
}
