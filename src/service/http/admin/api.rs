//! The router.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;

use super::table::table;
use crate::service::admin::AdminContext;
use crate::service::http::auth::{AdminTokens, RequireRole};
use crate::service::http::{CheckLayer, Code, Problem};

/// Most bytes of a body.
const MAX_BODY: usize = 16 * 1024;

/// What the routes work on: a topology in its log.
#[derive(Clone)]
pub struct AdminApi(pub(super) Arc<AdminContext>);

impl AdminApi {
    /// The routes of a topology.
    pub fn new(context: AdminContext) -> Self {
        Self(Arc::new(context))
    }

    /// The router, every route of which needs one of these tokens. It is for an address of its own, which callers of the
    /// service do not reach.
    pub fn router(self, tokens: AdminTokens) -> Router {
        let mut router = Router::new();
        for route in table() {
            let role = CheckLayer::new(RequireRole(route.role));
            router = router.route(route.path, route.handler.route_layer(role));
        }
        router
            .fallback(nothing)
            .method_not_allowed_fallback(wrong_method)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(CheckLayer::new(tokens))
            .with_state(self)
    }
}

async fn nothing(uri: Uri) -> Problem {
    Problem::new(Code::NotFound, format!("there is nothing at {}; the routes begin with /admin/v1/", uri.path()))
}

async fn wrong_method(uri: Uri) -> Problem {
    let detail = format!("{} is there, but not for this method", uri.path());
    Problem::new(Code::MethodNotAllowed, detail)
}
