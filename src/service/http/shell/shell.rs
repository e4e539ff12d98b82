//! Puts the parts round a router.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::Route;
use tower::{Layer, Service};
use tower_http::catch_panic::CatchPanicLayer;

use super::account::{Account, account};
use super::answers::{not_allowed, not_found, panicked};
use super::body::{BodyBounds, take_whole};
use super::ops;
use crate::service::http::metrics::Exporter;
use crate::service::http::{HttpSettings, Readiness};

/// What surrounds the routes of a service; see the [module](super) for the parts and their order.
///
/// ```
/// use axum::{Router, routing::get};
/// use squall::service::http::metrics::Exporter;
/// use squall::service::http::{HttpSettings, Readiness, Shell};
///
/// let routes = Router::new().route("/v1/hello", get(async || "hello"));
/// let shell = Shell::new("hello", &HttpSettings::default(), Exporter::new(), Readiness::default());
/// let app: Router = shell.wrap(routes);
/// ```
pub struct Shell {
    server: String,
    settings: HttpSettings,
    exporter: Exporter,
    readiness: Readiness,
    before: Vec<Wrap>,
    after: Vec<Wrap>,
}

type Wrap = Box<dyn FnOnce(Router) -> Router + Send>;

impl Shell {
    /// For the server of this name, which its metrics and log lines carry.
    pub fn new(
        server: impl Into<String>,
        settings: &HttpSettings,
        exporter: Exporter,
        readiness: Readiness,
    ) -> Self {
        let (before, after) = (Vec::new(), Vec::new());
        Self { server: server.into(), settings: settings.clone(), exporter, readiness, before, after }
    }

    /// Adds a layer that sees a request before its body has arrived, and inside of those added before it: tokens and rate
    /// limits. [`Peer`](crate::service::http::Peer), [`TraceContext`](crate::service::http::TraceContext),
    /// [`Deadline`](crate::service::http::Deadline) and axum's `MatchedPath` are in the extensions.
    #[must_use]
    pub fn before_body<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.before.push(Box::new(move |router| router.layer(layer)));
        self
    }

    /// Adds a layer that sees a request with its whole body, and inside of those added before it: load shedding,
    /// decompression.
    #[must_use]
    pub fn after_body<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.after.push(Box::new(move |router| router.layer(layer)));
        self
    }

    /// The whole application. Replaces the router's own fallback, and sets its limit for extractors to
    /// `max_body_bytes`: a handler that takes more, because it unpacks the body, has a limit of its own.
    ///
    /// # Panics
    /// When the router has a route `/healthz`, `/readyz` or `/metrics`.
    pub fn wrap(self, router: Router) -> Router {
        let Self { server, settings, exporter, readiness, before, after } = self;
        let mut app = router
            .fallback(not_found)
            .method_not_allowed_fallback(not_allowed)
            .layer(DefaultBodyLimit::max(settings.max_body_bytes));
        for layer in after.into_iter().rev() {
            app = layer(app);
        }
        app = app.layer(from_fn_with_state(BodyBounds::of(&settings), take_whole));
        for layer in before.into_iter().rev() {
            app = layer(app);
        }
        let metrics = exporter.http(&server);
        let beside = ops::router(settings.metrics.then_some(exporter), readiness);
        let account_of = Arc::new(Account::new(server, &settings, metrics));
        app.merge(beside).layer(CatchPanicLayer::custom(panicked)).layer(from_fn_with_state(account_of, account))
    }
}
