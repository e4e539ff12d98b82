//! What a server measures.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{CertificateLabels, CutLabels, ProblemLabels, RequestLabels, RouteLabels, ServerLabels};
use super::names::{self, Name};
use crate::service::http::Code;

/// Upper bounds in seconds: what a caller notices lies between 1 ms and 1 s.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// What a caller was too slow at when its connection was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The TLS handshake.
    Handshake,
    /// Sending headers.
    Headers,
    /// Sending another request.
    Idle,
    /// Taking an answer.
    Write,
}

impl Cut {
    /// Its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Headers => "headers",
            Self::Idle => "idle",
            Self::Write => "write",
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

/// The series of all servers.
#[derive(Debug, Clone)]
pub(super) struct Families {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, Durations>,
    in_flight: Family<ServerLabels, Gauge>,
    bodies: Family<ServerLabels, Gauge>,
    connections: Family<ServerLabels, Gauge>,
    opened: Family<ServerLabels, Counter>,
    refused: Family<ServerLabels, Counter>,
    cut: Family<CutLabels, Counter>,
    problems: Family<ProblemLabels, Counter>,
    certificates: Family<CertificateLabels, Counter>,
}

impl Default for Families {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(Durations),
            in_flight: Family::default(),
            bodies: Family::default(),
            connections: Family::default(),
            opened: Family::default(),
            refused: Family::default(),
            cut: Family::default(),
            problems: Family::default(),
            certificates: Family::default(),
        }
    }
}

impl Families {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Name { name, help } = names::HTTP_REQUESTS;
        registry.register(name, help, self.requests.clone());
        let Name { name, help } = names::HTTP_DURATION;
        registry.register(name, help, self.durations.clone());
        let Name { name, help } = names::HTTP_IN_FLIGHT;
        registry.register(name, help, self.in_flight.clone());
        let Name { name, help } = names::HTTP_BODIES;
        registry.register(name, help, self.bodies.clone());
        let Name { name, help } = names::HTTP_CONNECTIONS;
        registry.register(name, help, self.connections.clone());
        let Name { name, help } = names::HTTP_OPENED;
        registry.register(name, help, self.opened.clone());
        let Name { name, help } = names::HTTP_REFUSED;
        registry.register(name, help, self.refused.clone());
        let Name { name, help } = names::HTTP_CUT;
        registry.register(name, help, self.cut.clone());
        let Name { name, help } = names::HTTP_PROBLEMS;
        registry.register(name, help, self.problems.clone());
        let Name { name, help } = names::HTTP_CERTIFICATES;
        registry.register(name, help, self.certificates.clone());
    }
}

/// What one server measures. Cheap to clone; all of one name are one.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    server: Arc<str>,
    families: Families,
    in_flight: Gauge,
    bodies: Gauge,
    connections: Gauge,
    opened: Counter,
    refused: Counter,
}

impl HttpMetrics {
    pub(super) fn new(server: &str, families: Families) -> Self {
        let labels = ServerLabels { server: server.into() };
        Self {
            in_flight: families.in_flight.get_or_create_owned(&labels),
            bodies: families.bodies.get_or_create_owned(&labels),
            connections: families.connections.get_or_create_owned(&labels),
            opened: families.opened.get_or_create_owned(&labels),
            refused: families.refused.get_or_create_owned(&labels),
            server: labels.server,
            families,
        }
    }

    /// Some that nobody reads.
    pub fn detached() -> Self {
        Self::new("", Families::default())
    }

    /// A request was answered, or dropped with its caller when there is no `status`.
    pub fn answered(&self, route: &str, method: &Method, status: Option<StatusCode>, took: Duration) {
        let method = method_label(method);
        let by_route = RouteLabels { server: self.server.clone(), route: route.to_owned(), method };
        self.families.durations.get_or_create(&by_route).observe(took.as_secs_f64());
        let RouteLabels { server, route, method } = by_route;
        let by_status = RequestLabels { server, route, method, status: status_label(status) };
        self.families.requests.get_or_create(&by_status).inc();
    }

    /// An answer was a problem.
    pub fn problem(&self, code: Code) {
        let labels = ProblemLabels { server: self.server.clone(), code: code.as_str() };
        self.families.problems.get_or_create(&labels).inc();
    }

    /// A request runs, until this is dropped.
    pub fn in_flight(&self) -> RequestInFlight {
        self.in_flight.inc();
        RequestInFlight(self.in_flight.clone())
    }

    /// Nothing of a body is held yet; what is added to it counts until it is dropped.
    pub fn body(&self) -> BodyHeld {
        BodyHeld { gauge: self.bodies.clone(), bytes: 0 }
    }

    /// A connection is open, until this is dropped.
    pub fn open(&self) -> ConnectionOpen {
        self.opened.inc();
        self.connections.inc();
        ConnectionOpen(self.connections.clone())
    }

    /// A connection was closed at once, since its address has too many.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// A connection was cut, since its caller is too slow.
    pub fn cut(&self, cut: Cut) {
        let labels = CutLabels { server: self.server.clone(), phase: cut.as_str() };
        self.families.cut.get_or_create(&labels).inc();
    }

    /// A new certificate was taken or refused.
    pub fn certificate(&self, taken: bool) {
        let result = if taken { "taken" } else { "refused" };
        let labels = CertificateLabels { server: self.server.clone(), result };
        self.families.certificates.get_or_create(&labels).inc();
    }
}

/// Counts a request as running.
#[derive(Debug)]
pub struct RequestInFlight(Gauge);

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts bytes as held.
#[derive(Debug)]
pub struct BodyHeld {
    gauge: Gauge,
    bytes: i64,
}

impl BodyHeld {
    /// So many more are held.
    pub fn add(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.gauge.inc_by(bytes);
        self.bytes += bytes;
    }
}

impl Drop for BodyHeld {
    fn drop(&mut self) {
        self.gauge.dec_by(self.bytes);
    }
}

/// Counts a connection as open.
#[derive(Debug)]
pub struct ConnectionOpen(Gauge);

impl Drop for ConnectionOpen {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Callers may invent methods; a label may not follow them.
pub(in crate::service::http) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn status_label(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16() / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(_) => "5xx",
        None => "gone",
    }
}
