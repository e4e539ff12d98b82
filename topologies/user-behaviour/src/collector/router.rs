//! The routes.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, StatusCode};
use axum::routing::post;
use squall::service::http::auth::{AppId, AppKeys};
use squall::service::http::{Deadline, Problem, TRACEPARENT, TraceContext};

use super::collect::Sender;
use super::split::Framing;
use super::verdict::Caller;
use super::{Accepted, Collector, body};

/// The routes of a collector; see the [module](super). Takes from the request's extensions, where they are there, the
/// [`AppId`] whose records alone are taken, or the [`AppKeys`] of those whose records are not, the [`Deadline`] and the
/// [`TraceContext`].
pub fn router(collector: Collector) -> Router {
    Router::new().route("/v1/behaviours", post(behaviours)).route("/v1/beacon", post(beacon)).with_state(collector)
}

async fn behaviours(State(collector): State<Collector>, request: Request) -> Result<Accepted, Problem> {
    collect(&collector, request, false).await
}

async fn beacon(State(collector): State<Collector>, request: Request) -> Result<StatusCode, Problem> {
    collect(&collector, request, true).await.map(|_accepted| StatusCode::NO_CONTENT)
}

async fn collect(collector: &Collector, request: Request<Body>, plain_allowed: bool) -> Result<Accepted, Problem> {
    let (parts, body) = request.into_parts();
    let framing: Framing = body::framing(&parts.headers, plain_allowed)?;
    let sender = Sender {
        caller: caller(&parts.extensions),
        trace: trace(&parts),
        deadline: parts.extensions.get::<Deadline>().copied(),
    };
    let body = body::read(&parts.headers, body, collector.settings().max_body_bytes, collector.room()).await?;
    collector.take(body, framing, &sender).await
}

/// The trace that the records carry: the caller's, and one that was begun here where it is kept. Of the others nobody asks.
fn trace(parts: &Parts) -> Option<TraceContext> {
    let trace = parts.extensions.get::<TraceContext>().copied();
    trace.filter(|trace| trace.sampled || parts.headers.contains_key(TRACEPARENT))
}

fn caller(extensions: &Extensions) -> Caller {
    match (extensions.get::<AppId>(), extensions.get::<AppKeys>()) {
        (Some(app), _) => Caller::App(app.clone()),
        (None, Some(keys)) => Caller::NoKey(keys.clone()),
        (None, None) => Caller::Anybody,
    }
}
