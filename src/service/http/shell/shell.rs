//! Puts the parts round a router.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use tower::layer::layer_fn;
use tower::util::{BoxCloneSyncService, option_layer};
use tower::{Layer, Service, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

use super::account::{Account, AccountLayer};
use super::answers::{not_allowed, not_found, panicked};
use super::body::{BodyBounds, BodyLayer};
use super::ops;
use super::timing::{DeadlineLayer, Readable};
use crate::service::http::metrics::Exporter;
use crate::service::http::{CheckLayer, HttpSettings, Readiness};

/// What surrounds the routes of a service.
///
/// [`wrap`](Self::wrap) puts these round a router, the outermost first:
///
/// | part | does | is there for |
/// | --- | --- | --- |
/// | trace | takes the caller's [`TraceContext`](crate::service::http::TraceContext) or begins one; the answer carries it as `traceparent` and its trace as `x-request-id` | what comes after it |
/// | peer | finds the [`Peer`](crate::service::http::Peer), behind trusted proxies too | limits, the log |
/// | account | metrics by route, access log, headers that an API needs | everything below, however it ends |
/// | leave by [`cors`](Self::cors) | lets pages of other origins read the answers, answers preflights | the router |
/// | deadline | [`Deadline`](crate::service::http::Deadline), lowered by `x-request-timeout-ms`; past it the work is dropped and the answer is `504` | everything below |
/// | panic | a panic is a `500`; the next request is served | everything below |
/// | layers given to [`before_body`](Self::before_body) | tokens, rate limits: who is refused here costs no more than headers | |
/// | header | a `400` for a deadline that cannot be read | |
/// | body | takes the body whole within its bounds: `413`, `408`, `503` when too much is held already | handlers, which never wait for a caller |
/// | layers given to [`after_body`](Self::after_body) | load shedding, decompression: no slow caller holds a place here | |
/// | router | the routes; `404` and `405` as problem documents | |
///
/// `/healthz`, `/readyz` and `/metrics` stand beside the router, below *panic*: no token, no limit and no shedding
/// touches them, and no page of another origin may read them. [`without_operations`](Self::without_operations) leaves
/// them out.
///
/// A body is held in memory before and while its handler runs; all of them together have `max_buffered_bytes`. The
/// deadline and the measured duration reach to the start of an answer; from there on the connection's own bounds hold.
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
    operations: bool,
    cors: Option<CorsLayer>,
    before: Vec<Wrap>,
    after: Vec<Wrap>,
}

/// A route with the parts that are round it so far.
type Inner = BoxCloneSyncService<Request, Response, Infallible>;

/// Puts one more round it. All of them are one layer of axum's: each of these copies for a request whatever is inside.
type Wrap = Arc<dyn Fn(Inner) -> Inner + Send + Sync>;

fn wrap<L>(layer: L) -> Wrap
where
    L: Layer<Inner> + Send + Sync + 'static,
    L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Response: IntoResponse + 'static,
    <L::Service as Service<Request>>::Future: Send + 'static,
{
    Arc::new(move |inner| Inner::new(layer.layer(inner).map_response(IntoResponse::into_response)))
}

impl Shell {
    /// For the server of this name, which its metrics and log lines carry.
    pub fn new(
        server: impl Into<String>,
        settings: &HttpSettings,
        exporter: Exporter,
        readiness: Readiness,
    ) -> Self {
        let (settings, before, after) = (settings.clone(), Vec::new(), Vec::new());
        Self { server: server.into(), settings, exporter, readiness, operations: true, cors: None, before, after }
    }

    /// Leaves out `/healthz`, `/readyz` and `/metrics`: for an address where nothing is said without a token.
    #[must_use]
    pub fn without_operations(mut self) -> Self {
        self.operations = false;
        self
    }

    /// Which pages of other origins may call the router's routes. Every answer of these has the leave, also that to a
    /// request which took too long, or whose handler panicked: a page sees none that lacks it. Preflights are answered
    /// here, and pass no layer further in.
    #[must_use]
    pub fn cors(mut self, cors: CorsLayer) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Adds a layer that sees a request before its body has arrived, and inside of those added before it: tokens and rate
    /// limits. [`Peer`](crate::service::http::Peer), [`TraceContext`](crate::service::http::TraceContext),
    /// [`Deadline`](crate::service::http::Deadline) and axum's `MatchedPath` are in the extensions.
    #[must_use]
    pub fn before_body<L>(mut self, layer: L) -> Self
    where
        L: Layer<Inner> + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.before.push(wrap(layer));
        self
    }

    /// Adds a layer that sees a request with its whole body, and inside of those added before it: load shedding,
    /// decompression.
    #[must_use]
    pub fn after_body<L>(mut self, layer: L) -> Self
    where
        L: Layer<Inner> + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.after.push(wrap(layer));
        self
    }

    /// The whole application. Replaces the router's own fallback, and sets its limit for extractors to
    /// `max_body_bytes`: a handler that takes more, because it unpacks the body, has a limit of its own.
    ///
    /// # Panics
    /// When the router has a route `/healthz`, `/readyz` or `/metrics`, unless these are left out.
    pub fn wrap(self, router: Router) -> Router {
        let Self { server, settings, exporter, readiness, operations, cors, before, after } = self;
        let metrics = exporter.http(&server);
        let extractors = wrap(DefaultBodyLimit::max(settings.max_body_bytes));
        let body = wrap(BodyLayer(BodyBounds::new(&settings, metrics.clone())));
        let readable = CheckLayer::new(Readable);
        let (after, before) = (after.into_iter().rev(), before.into_iter().rev());
        let between = [body, wrap(readable.clone())];
        let layers: Arc<[Wrap]> = [extractors].into_iter().chain(after).chain(between).chain(before).collect();
        let within =
            layer_fn(move |route: Route| layers.iter().fold(Inner::new(route), |inner, wrap| wrap(inner)));
        let account = AccountLayer(Arc::new(Account::new(server, &settings, metrics)));
        let inner = (DeadlineLayer(settings.request_timeout), CatchPanicLayer::custom(panicked));
        let router = router.fallback(not_found).method_not_allowed_fallback(not_allowed);
        let app = router.layer((account.clone(), option_layer(cors), inner.clone(), within));
        if !operations {
            return app;
        }
        app.merge(ops::router(settings.metrics.then_some(exporter), readiness).layer((account, inner, readable)))
    }
}
