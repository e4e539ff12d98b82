//! Looks at what is.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::AdminApi;
use crate::service::admin::{lag_as_json, lag_of, list_as_json};
use crate::service::http::{Code, Problem};

type Answer = Result<Json<Value>, Problem>;

/// Longest time over which rates are taken: half of what a request of this server may take, the rest of which is for the log.
pub(super) const OVER_MAX_MS: u64 = 5_000;

pub(super) async fn status(State(api): State<AdminApi>) -> Answer {
    let operator = api.0.operator();
    let (states, workers) = (operator.state().await?, operator.workers().await?);
    let live = workers.iter().filter(|worker| worker.live).count();
    let of = |kind: &str| -> Map<String, Value> {
        let states = states.iter().filter(|state| state.key.kind() == kind);
        states.map(|state| (state.key.name().to_owned(), state.value.clone().into())).collect()
    };
    Ok(Json(json!({
        "topology": api.0.topology,
        "workers": { "live": live, "silent": workers.len() - live },
        "switches": of("switch"),
        "spouts": of("spout"),
        "limits": of("limit"),
    })))
}

pub(super) async fn workers(State(api): State<AdminApi>) -> Answer {
    Ok(Json(json!({ "workers": api.0.operator().workers().await? })))
}

pub(super) async fn list(kind: &'static str, State(api): State<AdminApi>) -> Answer {
    Ok(Json(list_as_json(kind, &api.0.operator().state().await?)))
}

/// Over which time the rates are taken; none are without.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LagQuery {
    over_ms: u64,
}

pub(super) async fn lag(State(api): State<AdminApi>, query: Result<Query<LagQuery>, QueryRejection>) -> Answer {
    let wrong = || {
        Problem::new(Code::InvalidRequest, format!("over_ms is 0 to {OVER_MAX_MS}, and all that may be given"))
            .with("parameter", "over_ms")
    };
    let Query(LagQuery { over_ms }) = query.map_err(|_| wrong())?;
    if over_ms > OVER_MAX_MS {
        return Err(wrong());
    }
    let lags = lag_of(&api.0, Duration::from_millis(over_ms)).await?;
    Ok(Json(json!({ "spouts": lags.iter().map(lag_as_json).collect::<Vec<_>>() })))
}

pub(super) async fn backfills(State(api): State<AdminApi>) -> Answer {
    let jobs = api.0.backfills().list().await.map_err(crate::service::admin::AdminError::from)?;
    Ok(Json(json!({ "backfills": jobs })))
}
