//! A change.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::AdminApi;
use super::body::Body;
use crate::control::Key;
use crate::guard::Limit;
use crate::service::admin::{ChangeArgs, change as carry_out};
use crate::service::http::auth::Holder;
use crate::service::http::{Code, Deadline, Problem};

/// How long the workers are waited for.
const WAIT: Duration = Duration::from_secs(5);

/// Longest name.
const MAX_NAME: usize = 256;

pub(super) async fn change(
    key: fn(String) -> Key,
    State(api): State<AdminApi>,
    name: Result<Path<String>, PathRejection>,
    Extension(holder): Extension<Holder>,
    deadline: Option<Extension<Deadline>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = Body::read(body)?;
    let name = name.ok().map(|Path(name)| name).filter(|name| valid(name)).ok_or_else(|| {
        let detail = format!("a name has 1 to {MAX_NAME} bytes, and no signs that cannot be seen");
        Problem::new(Code::InvalidRequest, detail).with("parameter", "name")
    })?;
    let key = key(name.clone());
    let value = match key {
        // As it is shown everywhere; what is none is refused below.
        Key::Limit(_) => Limit::parse(&body.value).map_or_else(|_| body.value.clone(), Limit::show),
        _ => body.value.clone(),
    };
    let wait = deadline.map_or(WAIT, |Extension(deadline)| WAIT.min(deadline.left()));
    let args = ChangeArgs {
        name,
        lasts: body.lasts(),
        reason: body.reason,
        json: true,
        dry_run: body.dry_run,
        // Whole seconds that are over before the deadline is.
        wait: wait.saturating_sub(Duration::from_millis(1)).as_secs() + u64::from(wait == WAIT),
        force: body.force,
        who: Some(holder.name.to_string()),
    };
    let outcome = carry_out(&api.0.operator(), &api.0.topology, key, &value, &args).await?;
    let status = if outcome.status() == 0 { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(outcome.json())).into_response())
}

fn valid(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}
