//! The layer.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service};

use super::Shed;
use crate::service::http::Deadline;

impl Shed {
    /// The layer for a router. A request holds its place until its answer begins; the [`Deadline`] in its extensions
    /// bounds its wait.
    pub fn layer(&self) -> ShedLayer {
        ShedLayer(self.clone())
    }
}

/// Lets as many requests be at work as a [`Shed`] says.
#[derive(Debug, Clone)]
pub struct ShedLayer(Shed);

impl<S> Layer<S> for ShedLayer {
    type Service = Shedding<S>;

    fn layer(&self, inner: S) -> Shedding<S> {
        Shedding { shed: self.0.clone(), inner }
    }
}

/// A service behind a [`Shed`].
#[derive(Debug, Clone)]
pub struct Shedding<S> {
    shed: Shed,
    inner: S,
}

impl<S> Service<Request> for Shedding<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The clone is not known to be ready; the one that is goes with the request.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let shed = self.shed.clone();
        Box::pin(async move {
            let deadline = request.extensions().get::<Deadline>().copied();
            match shed.enter(deadline).await {
                Ok(_slot) => ready.call(request).await,
                Err(problem) => Ok(problem.into_response()),
            }
        })
    }
}
