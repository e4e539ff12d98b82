//! The outermost part: where a request belongs, who calls, and what became of it.

use std::borrow::Cow;
use std::convert::Infallible;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;
use tower::{Layer, Service};
use tracing::Instrument;

use super::access::{AccessLog, Line};
use super::forwarded::peer;
use crate::guard::Clock;
use crate::service::http::metrics::{HttpMetrics, RequestInFlight, method_label};
use crate::service::http::{Code, HttpSettings, Network, Peer, Remote, TRACEPARENT, TraceContext};
use crate::topology::{EndedSpan, SpanKind, span_ended};

/// Header of answers by which a request is called in logs: the id of its trace.
pub const REQUEST_ID: &str = "x-request-id";

/// The trace, in answers.
const TRACE: HeaderName = HeaderName::from_static(TRACEPARENT);

/// Route of a request that none matched.
const UNMATCHED: &str = "unmatched";

/// What all requests of a server share.
pub(super) struct Account {
    server: String,
    trusted: Vec<Network>,
    sample: f64,
    metrics: HttpMetrics,
    log: AccessLog,
}

/// A request until it is answered, or dropped because its caller left.
struct Open {
    account: Arc<Account>,
    method: Method,
    route: Option<MatchedPath>,
    peer: Peer,
    trace: TraceContext,
    /// The span of the caller.
    caller: Option<u64>,
    began: Instant,
    answered: bool,
    _in_flight: RequestInFlight,
}

impl Account {
    pub(super) fn new(server: String, settings: &HttpSettings, metrics: HttpMetrics) -> Self {
        Self {
            server,
            trusted: settings.trusted_proxies.clone(),
            sample: settings.access_log.sample,
            metrics,
            log: AccessLog::new(settings.access_log),
        }
    }

    /// The caller's trace with a span of this request's own, and the caller's span; whether it is kept is the caller's
    /// choice. One that begins here is kept with the share of the access log.
    fn trace(&self, headers: &HeaderMap) -> (TraceContext, Option<u64>) {
        let given = headers.get(TRACE).and_then(|header| header.to_str().ok()).and_then(TraceContext::parse);
        match given {
            Some(given) => (given.child(random()), Some(given.parent_id)),
            None => {
                let end = random();
                let trace_id = (u128::from(random()) << 64 | u128::from(end)).max(1);
                let sampled = ((end & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64) < self.sample;
                (TraceContext { trace_id, parent_id: random().max(1), sampled }, None)
            }
        }
    }
}

/// Ids only have to differ; the standard library's random hash keys do.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Puts [`Accounting`] round a service. A service of its own, as the one for bodies is: every request passes both, and
/// axum's functions as middleware clone and box what is below them each time.
#[derive(Clone)]
pub(super) struct AccountLayer(pub(super) Arc<Account>);

/// Accounts for a request however it ends.
#[derive(Clone)]
pub(super) struct Accounting<S> {
    account: Arc<Account>,
    inner: S,
}

impl<S> Layer<S> for AccountLayer {
    type Service = Accounting<S>;

    fn layer(&self, inner: S) -> Accounting<S> {
        Accounting { account: self.0.clone(), inner }
    }
}

impl<S, R> Service<Request> for Accounting<S>
where
    S: Service<Request, Response = R, Error = Infallible>,
    S::Future: Send + 'static,
    R: IntoResponse,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let mut open = Open::begin(self.account.clone(), &request);
        let extensions = request.extensions_mut();
        extensions.insert(open.peer);
        extensions.insert(open.trace);
        let trace_id = format_args!("{:032x}", open.trace.trace_id);
        let span = tracing::info_span!("request", %trace_id, route = open.route());
        let answer = span.in_scope(|| self.inner.call(request)).instrument(span);
        Box::pin(async move { answer.await.map(|answer| open.answer(answer.into_response())) })
    }
}

impl Open {
    fn begin(account: Arc<Account>, request: &Request) -> Self {
        let extensions = request.extensions();
        let connection = extensions.get::<Remote>().map(|remote| remote.0.ip());
        let (trace, caller) = account.trace(request.headers());
        Self {
            method: request.method().clone(),
            route: extensions.get::<MatchedPath>().cloned(),
            peer: peer(connection, request.headers(), &account.trusted),
            trace,
            caller,
            began: Instant::now(),
            answered: false,
            _in_flight: account.metrics.in_flight(),
            account,
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str)
    }

    fn answer(&mut self, mut response: Response) -> Response {
        self.answered = true;
        self.close(Some(response.status()), response.extensions().get::<Code>().copied());
        self.sign(response.headers_mut());
        response
    }

    /// What an API needs of a browser: the type is what it says it is, and nothing is kept unless a handler allows it.
    fn sign(&self, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        // The id of the trace is the second of its four parts.
        let parent = Bytes::from(self.trace.to_string());
        let hex = |text| HeaderValue::from_maybe_shared(text).expect("hexadecimal digits are valid in a header");
        headers.insert(HeaderName::from_static(REQUEST_ID), hex(parent.slice(3..35)));
        headers.insert(TRACE, hex(parent));
    }

    fn close(&self, status: Option<StatusCode>, code: Option<Code>) {
        let (account, route, took) = (&self.account, self.route(), self.began.elapsed());
        account.metrics.answered(route, &self.method, status, took);
        if let Some(code) = code {
            account.metrics.problem(code);
        }
        let (server, method, peer, trace) = (&account.server, method_label(&self.method), self.peer, self.trace);
        if trace.sampled {
            span_ended(|| self.span(method, status, code, took));
        }
        account.log.write(&Line { server, method, route, status, code, took, peer, trace });
    }
}

impl Open {
    /// The request as a part of its trace. A caller that left is no failure of ours.
    fn span(&self, method: &str, status: Option<StatusCode>, code: Option<Code>, took: Duration) -> EndedSpan {
        let route = self.route();
        let mut attributes = vec![
            ("server", self.account.server.as_str().into()),
            ("http.request.method", method.into()),
            ("http.route", route.into()),
        ];
        attributes.extend(status.map(|status| ("http.response.status_code", i64::from(status.as_u16()).into())));
        attributes.extend(code.map(|code| ("error.type", code.as_str().into())));
        let failed = status.filter(StatusCode::is_server_error);
        let now = Duration::from_millis(u64::try_from(Clock::wall().unix_ms()).unwrap_or_default());
        EndedSpan {
            name: format!("{method} {route}"),
            kind: SpanKind::Server,
            context: self.trace,
            parent: self.caller,
            began: now.saturating_sub(took),
            took,
            attributes,
            failure: failed.map(|status| code.map_or(Cow::Owned(status.to_string()), |code| code.as_str().into())),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.answered {
            self.close(None, None);
        }
    }
}
