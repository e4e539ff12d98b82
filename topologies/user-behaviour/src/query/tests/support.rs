//! The service over stores that do as they are told.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value as Json;
use squall::guard::{Mode, Switch};
use squall::service::http::Deadline;
use squall::store::Timelines;
use squall::store::timeline::memory::MemoryTimelines;
use squall::store::timeline::{Entry, Limits, Whole};
use tower::ServiceExt;

pub(super) use super::stores::Does;
use super::stores::{TestRows, TestTimelines};
use crate::query::read::Sources;
use crate::query::{QueryConfig, QueryState, router};
use crate::record::samples::hotel;
use crate::record::{Behaviour, Decoded};
use crate::schema::entry;

/// 2026-01-01T00:00:00Z, about.
pub(super) const BASE: i64 = 1_767_225_600_000;

/// The service and its stores.
#[derive(Clone)]
pub(super) struct World {
    pub(super) timelines: Arc<TestTimelines>,
    pub(super) rows: Arc<TestRows>,
    pub(super) switch: Switch,
    pub(super) router: axum::Router,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) json: Json,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(QueryConfig::default(), Limits::default())
    }

    pub(super) fn with(config: QueryConfig, limits: Limits) -> Self {
        let timelines = Arc::new(TestTimelines::new(limits));
        let (rows, switch) = (Arc::new(TestRows::new()), Switch::new(Mode::Off));
        let sources = Sources { timelines: timelines.clone(), limits, switch: switch.clone(), rows: rows.clone() };
        let router = router(QueryState::new(sources, None, config.settings().unwrap()));
        Self { timelines, rows, switch, router }
    }

    /// Another service over the same stores.
    pub(super) fn beside(&self) -> Self {
        let (timelines, rows, switch) = (self.timelines.clone(), self.rows.clone(), self.switch.clone());
        let (limits, settings) = (Limits::default(), QueryConfig::default().settings().unwrap());
        let sources = Sources { timelines: timelines.clone(), limits, switch: switch.clone(), rows: rows.clone() };
        let router = router(QueryState::new(sources, None, settings));
        Self { timelines, rows, switch, router }
    }

    /// As the topology would, into both stores.
    pub(super) async fn store(&self, records: &[Decoded]) {
        self.store_timelines(records).await;
        self.store_rows(records);
    }

    /// Has the timelines vouch for the user, as after a repair.
    pub(super) async fn vouch(&self, user: &str) {
        let timelines = self.timelines.behind();
        let repair = timelines.begin_repair(user, 1).await.unwrap().unwrap();
        assert!(timelines.end_repair(user, repair, Whole::All).await.unwrap());
    }

    pub(super) async fn store_timelines(&self, records: &[Decoded]) {
        apply(&self.timelines.behind(), records).await;
    }

    pub(super) fn store_rows(&self, records: &[Decoded]) {
        records.iter().for_each(|decoded| self.rows.put(decoded));
    }

    pub(super) async fn get(&self, uri: &str) -> Answer {
        self.ask(Request::get(uri).body(Body::empty()).unwrap()).await
    }

    /// Allows an answer that is stale.
    pub(super) async fn get_stale(&self, uri: &str) -> Answer {
        self.ask(Request::get(uri).header("cache-control", "max-stale").body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, body: &Json) -> Answer {
        let request = Request::post("/v1/behaviours/query").header("content-type", "application/json");
        self.ask(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let json = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"));
        Answer { status, headers, json }
    }
}

impl World {
    /// Asks as through what surrounds the service, which lets go of whatever is not answered by the deadline; and has
    /// the answer while there is time left to send it.
    pub(super) async fn ask_within(&self, ms: u64, mut request: Request<Body>) -> Answer {
        let deadline = Deadline::after(Duration::from_millis(ms));
        request.extensions_mut().insert(deadline);
        let answer = deadline.bound(self.ask(request)).await.expect("it is answered before the deadline");
        assert!(!deadline.left().is_zero(), "its caller has gone: {answer:?}");
        answer
    }
}

impl Answer {
    pub(super) fn ids(&self) -> Vec<String> {
        let records = self.json["records"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        records.iter().map(|record| record["event_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Source, completeness, and number of records.
    pub(super) fn told(&self) -> (&str, bool, usize) {
        let source = self.json["source"].as_str().unwrap_or_else(|| panic!("{self:?}"));
        (source, self.json["complete"].as_bool().unwrap(), self.ids().len())
    }

    /// Asserts that it is a problem of this code, and says when to try again if that helps.
    pub(super) fn is_problem(&self, code: &str) {
        assert_eq!(self.json["code"], code, "{self:?}");
        assert_eq!(self.json["status"], self.status.as_u16());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let waits = self.status == StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(self.headers.contains_key("retry-after"), waits, "{self:?}");
    }
}

pub(super) async fn apply(timelines: &MemoryTimelines, records: &[Decoded]) {
    let entries: Vec<Entry<'_>> = records.iter().map(entry).collect();
    assert!(timelines.apply(&entries).await.unwrap().is_empty());
}

pub(super) fn record(user: &str, business: &str, action: &str, event: u64, at: i64) -> Decoded {
    let mut record: Behaviour = hotel();
    record.user_id = user.into();
    record.business = business.into();
    record.action = action.into();
    record.event_id = format!("e{event:04}").into();
    record.occurred_at = at;
    Decoded::new(record, i64::MAX).unwrap()
}

/// Views of hotels, a second apart.
pub(super) fn views(user: &str, events: std::ops::Range<u64>) -> Vec<Decoded> {
    events.map(|event| record(user, "hotel", "view", event, BASE + 1_000 * event.cast_signed())).collect()
}

/// Lets what runs beside the requests come to its end.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
