//! The outermost part: where a request belongs, who calls, how long it may take, and what became of it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;
use tracing::Instrument;

use super::access::{AccessLog, Line};
use super::forwarded::peer;
use super::timing::deadline;
use crate::service::http::metrics::{HttpMetrics, RequestInFlight, method_label};
use crate::service::http::{Code, HttpSettings, Network, Peer, Remote, TRACEPARENT, TraceContext};

/// What a request is called in answers and logs: the id of its trace.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Route of a request that none matched.
const UNMATCHED: &str = "unmatched";

/// What all requests of a server share.
pub(super) struct Account {
    server: String,
    trusted: Vec<Network>,
    most: Duration,
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
    began: Instant,
    answered: bool,
    _in_flight: RequestInFlight,
}

impl Account {
    pub(super) fn new(server: String, settings: &HttpSettings, metrics: HttpMetrics) -> Self {
        Self {
            server,
            trusted: settings.trusted_proxies.clone(),
            most: settings.request_timeout,
            sample: settings.access_log.sample,
            metrics,
            log: AccessLog::new(settings.access_log),
        }
    }

    /// The caller's trace with a span of this request's own; whether it is kept is the caller's choice. One that begins
    /// here is kept with the share of the access log.
    fn trace(&self, headers: &HeaderMap) -> TraceContext {
        let given = headers.get(TRACEPARENT).and_then(|header| header.to_str().ok()).and_then(TraceContext::parse);
        given.map(|given| given.child(random())).unwrap_or_else(|| {
            let end = random();
            let trace_id = (u128::from(random()) << 64 | u128::from(end)).max(1);
            let sampled = ((end & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64) < self.sample;
            TraceContext { trace_id, parent_id: random().max(1), sampled }
        })
    }
}

/// Ids only have to differ; the standard library's random hash keys do.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Runs a request within its deadline, and accounts for it however it ends.
pub(super) async fn account(State(account): State<Arc<Account>>, mut request: Request, next: Next) -> Response {
    let mut open = Open::begin(account, &request);
    let span = tracing::info_span!(
        "request",
        trace_id = format_args!("{:032x}", open.trace.trace_id),
        route = open.route()
    );
    let deadline = deadline(open.account.most, request.headers());
    let extensions = request.extensions_mut();
    extensions.insert(open.peer);
    extensions.insert(open.trace);
    let response = match deadline {
        Ok(deadline) => {
            extensions.insert(deadline);
            let answer = deadline.bound(next.run(request).instrument(span)).await;
            answer.unwrap_or_else(IntoResponse::into_response)
        }
        Err(problem) => problem.into_response(),
    };
    open.answer(response)
}

impl Open {
    fn begin(account: Arc<Account>, request: &Request) -> Self {
        let extensions = request.extensions();
        let connection = extensions.get::<Remote>().map(|remote| remote.0.ip());
        Self {
            method: request.method().clone(),
            route: extensions.get::<MatchedPath>().cloned(),
            peer: peer(connection, request.headers(), &account.trusted),
            trace: account.trace(request.headers()),
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
        let hex = |text: String| HeaderValue::try_from(text).expect("hexadecimal digits are valid in a header");
        headers.insert(TRACEPARENT, hex(self.trace.to_string()));
        headers.insert(REQUEST_ID, hex(format!("{:032x}", self.trace.trace_id)));
    }

    fn close(&self, status: Option<StatusCode>, code: Option<Code>) {
        let (account, route, took) = (&self.account, self.route(), self.began.elapsed());
        account.metrics.answered(route, &self.method, status, took);
        let (server, method, peer, trace) = (&account.server, method_label(&self.method), self.peer, self.trace);
        account.log.write(&Line { server, method, route, status, code, took, peer, trace });
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.answered {
            self.close(None, None);
        }
    }
}
