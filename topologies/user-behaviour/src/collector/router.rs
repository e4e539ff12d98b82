//! The routes.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, Method, StatusCode};
use axum::routing::post;
use squall::service::http::auth::{APP_KEY, AppId};
use squall::service::http::{Deadline, Problem, TRACEPARENT, TraceContext};
use tower_http::cors::{Any, CorsLayer};

use super::collect::Sender;
use super::split::Framing;
use super::{Accepted, Collector, CollectorSettings, body};

/// For how long a browser remembers that it may post.
const CORS_AGE: Duration = Duration::from_secs(3600);

/// The routes of a collector; see the [module](super). Takes from the request's extensions, where they are there, the
/// [`AppId`] whose records alone are taken, the [`Deadline`] and the [`TraceContext`].
pub fn router(collector: Collector) -> Router {
    let cors = cors(collector.settings());
    let routes = Router::new()
        .route("/v1/behaviours", post(behaviours))
        .route("/v1/beacon", post(beacon))
        .with_state(collector);
    match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    }
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
        app: parts.extensions.get::<AppId>().cloned(),
        trace: parts.extensions.get::<TraceContext>().copied(),
        deadline: parts.extensions.get::<Deadline>().copied(),
    };
    let body = body::read(&parts.headers, body, collector.settings().max_body_bytes).await?;
    collector.take(&body, framing, &sender).await
}

/// What lets pages of other origins post; none when the configuration names none.
fn cors(settings: &CollectorSettings) -> Option<CorsLayer> {
    let origins = &settings.cors_origins;
    if origins.is_empty() {
        return None;
    }
    let headers =
        [CONTENT_TYPE, CONTENT_ENCODING, HeaderName::from_static(APP_KEY), HeaderName::from_static(TRACEPARENT)];
    let cors = CorsLayer::new()
        .allow_methods([Method::POST])
        .allow_headers(headers)
        .expose_headers([RETRY_AFTER])
        .max_age(CORS_AGE);
    Some(match origins.iter().any(|origin| origin == "*") {
        true => cors.allow_origin(Any),
        // A beacon is sent with the cookies of the page's user, and a browser then wants to hear that this is welcome.
        false => cors.allow_origin(origins.clone()).allow_credentials(true),
    })
}
