//! Routes for those who run a service: does it live, is it ready, what does it measure.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::answers::{not_allowed, not_found};
use crate::service::http::Readiness;
use crate::service::http::metrics::{CONTENT_TYPE as OPEN_METRICS, Exporter};

/// `GET /healthz`, `/readyz` and `/metrics` alone, as a worker without routes of its own serves them.
///
/// | route | answers |
/// | --- | --- |
/// | `/healthz` | `200` as long as the process can answer at all: one that does not is to be restarted |
/// | `/readyz` | `200` when every part is ready, `503` otherwise; the [document](Readiness::document) says which is not, or not all well, and why |
/// | `/metrics` | OpenMetrics text, with the [names](crate::service::http::metrics::names) |
pub fn operations(exporter: Exporter, readiness: Readiness) -> Router {
    router(Some(exporter), readiness).fallback(not_found)
}

pub(super) fn router(exporter: Option<Exporter>, readiness: Readiness) -> Router {
    let mut router =
        Router::new().route("/healthz", get(health)).route("/readyz", get(ready).with_state(readiness));
    if let Some(exporter) = exporter {
        router = router.route("/metrics", get(metrics).with_state(exporter));
    }
    router.method_not_allowed_fallback(not_allowed)
}

async fn health() -> Json<Value> {
    Json(json!({ "alive": true }))
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let document = readiness.document();
    let status = if document["ready"] == true { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(document)).into_response()
}

async fn metrics(State(exporter): State<Exporter>) -> Response {
    ([(CONTENT_TYPE, OPEN_METRICS)], exporter.text()).into_response()
}
