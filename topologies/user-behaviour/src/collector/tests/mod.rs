//! The routes over an embedded log that goes away and comes back.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod away;
mod bodies;
mod browsers;
mod posts;
mod resends;
mod splits;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use squall::BoxFuture;
use squall::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use squall::broker::{Append, Broker, BrokerError, LogRecord, Position, Producer, TopicSpec};
use squall::guard::Clock;
use squall::service::spill::{DurableProducer, DurableSettings, SpillSettings};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use tower::ServiceExt;

use super::{Collector, CollectorSettings, cors, router};
use crate::record::samples::NOW;

const TOPIC: &str = "behaviour";

/// A collector with its log, in a folder that goes with it.
struct World {
    log: EmbeddedBroker,
    away: Arc<AtomicBool>,
    open: Arc<Open>,
    producer: Arc<DurableProducer>,
    collector: Collector,
    router: Router,
    _dir: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut CollectorSettings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap();
        log.create_topic(&TopicSpec::new(TOPIC, 4)).await.unwrap();
        let spill = SpillSettings { sync: false, ..SpillSettings::new(dir.path().join("spill")) };
        let mut settings = CollectorSettings::new(DurableSettings::new(spill));
        change(&mut settings);
        let away = Arc::<AtomicBool>::default();
        let open = Arc::new(Open { gate: Semaphore::new(1), waiting: AtomicUsize::new(0) });
        let gate = Arc::new(Gate { log: log.producer().unwrap(), away: away.clone(), open: open.clone() });
        let clock = Clock::at(NOW);
        let producer = Arc::new(DurableProducer::open(gate, settings.durable.clone(), clock).await.unwrap());
        let collector = Collector::new(producer.clone(), TOPIC, settings, clock);
        let routes = router(collector.clone());
        let router = match cors(collector.settings()) {
            Some(cors) => routes.layer(cors),
            None => routes,
        };
        Self { log, away, open, producer, collector, router, _dir: dir }
    }

    fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Lets nothing into the log until what is answered is dropped.
    async fn held(&self) -> SemaphorePermit<'_> {
        self.open.gate.acquire().await.unwrap()
    }

    /// Once so many appends wait for the log.
    async fn until_waiting(&self, appends: usize) {
        while self.open.waiting.load(Ordering::SeqCst) < appends {
            tokio::task::yield_now().await;
        }
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Posts a body without saying of what type it is.
    async fn post(&self, body: impl Into<Body>) -> Answer {
        answer(self.send(request("/v1/behaviours", &[], body)).await).await
    }

    /// All that is in the log, by partition.
    async fn records(&self) -> Vec<LogRecord> {
        let mut records = Vec::new();
        for bounds in self.log.bounds(TOPIC).await.unwrap() {
            let mut cursor = self.log.cursor(TOPIC, &[(bounds.partition, bounds.earliest)]).unwrap();
            while cursor.position(bounds.partition).unwrap() < bounds.latest {
                records.extend(cursor.fetch(1000, Duration::ZERO).await.unwrap().unwrap().records);
            }
        }
        records
    }

    /// The event ids in the log, sorted.
    async fn ids(&self) -> Vec<String> {
        let id = |record: &LogRecord| {
            let value: Value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
            value["event_id"].as_str().unwrap().to_owned()
        };
        let mut ids: Vec<String> = self.records().await.iter().map(id).collect();
        ids.sort();
        ids
    }
}

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

async fn answer(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Answer { status: parts.status, headers: parts.headers, body }
}

fn request(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

/// A record that breaks no rule.
fn record(event_id: &str) -> Value {
    json!({
        "event_id": event_id, "user_id": "u-42", "app_id": "trip", "channel": "app", "business": "hotel",
        "action": "view", "item_id": "hotel-7", "occurred_at": NOW - 1000, "attributes": {"city": "上海"}
    })
}

/// A log that is away at times.
struct Gate {
    log: Arc<dyn Producer>,
    away: Arc<AtomicBool>,
    open: Arc<Open>,
}

/// Whether appends get into the log, and how many wait for that.
struct Open {
    gate: Semaphore,
    waiting: AtomicUsize,
}

impl Producer for Gate {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        match self.away.load(Ordering::SeqCst) {
            true => {
                Box::pin(async { Err(BrokerError::Unreachable { address: "here".into(), reason: "away".into() }) })
            }
            false => Box::pin(async move {
                self.open.waiting.fetch_add(1, Ordering::SeqCst);
                drop(self.open.gate.acquire().await);
                self.open.waiting.fetch_sub(1, Ordering::SeqCst);
                self.log.append(topic, records).await
            }),
        }
    }
}
