//! The routes.

use axum::http::Method;
use axum::routing::{MethodRouter, get, put};

use super::AdminApi;
use super::change::change;
use super::look::{backfills, lag, list, status, workers};
use crate::control::Key;
use crate::service::http::auth::Role;

/// A route, and what it needs.
pub(super) struct Route {
    /// How it is asked for.
    #[cfg_attr(not(test), expect(dead_code, reason = "the router has it in the handler; tests ask by it"))]
    pub(super) method: Method,
    /// Where it is.
    pub(super) path: &'static str,
    /// Which role a token must have for it.
    pub(super) role: Role,
    /// What it does.
    pub(super) handler: MethodRouter<AdminApi>,
}

/// All routes: the only place from which the router takes one.
pub(super) fn table() -> Vec<Route> {
    let look = |path, handler| Route { method: Method::GET, path, role: Role::Read, handler };
    let turn = |path, key: fn(String) -> Key| Route {
        method: Method::PUT,
        path,
        role: Role::Operate,
        handler: put(move |api, name, holder, deadline, body| change(key, api, name, holder, deadline, body)),
    };
    vec![
        look("/admin/v1/status", get(status)),
        look("/admin/v1/workers", get(workers)),
        look("/admin/v1/switches", get(|api| list("switch", api))),
        look("/admin/v1/spouts", get(|api| list("spout", api))),
        look("/admin/v1/limits", get(|api| list("limit", api))),
        look("/admin/v1/lag", get(lag)),
        look("/admin/v1/backfills", get(backfills)),
        turn("/admin/v1/switches/{name}", Key::Switch),
        turn("/admin/v1/spouts/{name}", Key::Spout),
        turn("/admin/v1/limits/{name}", Key::Limit),
    ]
}
