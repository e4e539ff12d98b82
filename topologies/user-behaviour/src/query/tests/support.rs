//! Stores that do as they are told, and the service over them.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value as Json;
use squall::BoxFuture;
use squall::guard::{Mode, Switch};
use squall::store::row::{Cell, Newest, Table, Value};
use squall::store::timeline::memory::MemoryTimelines;
use squall::store::timeline::{Entry, Limits, Profile, StoredEntry};
use squall::store::{Rows, StoreError, Timelines};
use tower::ServiceExt;

use crate::query::read::Sources;
use crate::query::{QueryConfig, QueryState, router};
use crate::record::samples::hotel;
use crate::record::{Behaviour, Decoded};
use crate::schema::{cells, entry, table};

/// 2026-01-01T00:00:00Z, about.
pub(super) const BASE: i64 = 1_767_225_600_000;

/// What a store does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Work,
    Fail,
    Hang,
}

pub(super) struct Script {
    does: Mutex<Does>,
    takes: Mutex<Duration>,
    reads: AtomicUsize,
}

impl Script {
    fn new() -> Self {
        Self { does: Mutex::new(Does::Work), takes: Mutex::new(Duration::ZERO), reads: AtomicUsize::new(0) }
    }

    pub(super) fn set(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    pub(super) fn takes(&self, takes: Duration) {
        *self.takes.lock().unwrap() = takes;
    }

    /// Reads since the last time that this was asked.
    pub(super) fn reads(&self) -> usize {
        self.reads.swap(0, Ordering::Relaxed)
    }

    async fn read(&self) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.pass().await
    }

    async fn pass(&self) -> Result<(), StoreError> {
        let (does, takes) = (*self.does.lock().unwrap(), *self.takes.lock().unwrap());
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        match does {
            Does::Work => Ok(()),
            Does::Fail => Err(StoreError::Unavailable { store: "test", reason: "told to fail".into() }),
            Does::Hang => std::future::pending().await,
        }
    }
}

pub(super) struct TestTimelines {
    pub(super) script: Script,
    inner: Mutex<Arc<MemoryTimelines>>,
    limits: Limits,
}

impl TestTimelines {
    pub(super) fn new(limits: Limits) -> Self {
        let inner = Mutex::new(Arc::new(MemoryTimelines::new(limits)));
        Self { script: Script::new(), inner, limits }
    }

    /// The node comes back empty.
    pub(super) fn wipe(&self) {
        *self.inner.lock().unwrap() = Arc::new(MemoryTimelines::new(self.limits));
    }

    /// What is behind the script.
    pub(super) fn behind(&self) -> Arc<MemoryTimelines> {
        self.inner.lock().unwrap().clone()
    }
}

impl Timelines for TestTimelines {
    fn apply<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>> {
        Box::pin(async move {
            self.script.pass().await?;
            self.behind().apply(entries).await
        })
    }

    fn timeline<'a>(
        &'a self,
        owner: &'a str,
        line: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredEntry>, StoreError>> {
        Box::pin(async move {
            self.script.read().await?;
            self.behind().timeline(owner, line, limit).await
        })
    }

    fn profile<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Option<Profile>, StoreError>> {
        Box::pin(async move {
            self.script.read().await?;
            self.behind().profile(owner).await
        })
    }

    fn owners(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { self.behind().owners().await })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.script.pass())
    }
}

/// Rows in memory: an embedded server answers from a thread, for which paused time does not wait.
pub(super) struct TestRows {
    pub(super) script: Script,
    table: Table,
    rows: Mutex<BTreeMap<(String, String), Vec<Value>>>,
}

impl TestRows {
    fn put(&self, decoded: &Decoded) {
        let (mut row, record) = (Vec::new(), decoded.record());
        cells(decoded, &mut row);
        let own = |cell: &Cell<'_>| match *cell {
            Cell::Null => Value::Null,
            Cell::Int(number) => Value::Int(number),
            Cell::Text(text) => Value::Text(text.to_owned()),
            Cell::Bytes(bytes) => Value::Bytes(bytes.to_owned()),
        };
        let row: Vec<Value> = row.iter().map(own).collect();
        let mut rows = self.rows.lock().unwrap();
        let stored =
            rows.entry((record.user_id.to_string(), record.event_id.to_string())).or_insert_with(|| row.clone());
        if stored[2] <= row[2] {
            *stored = row;
        }
    }

    fn newest_rows(&self, page: &Newest<'_>) -> Vec<Vec<Value>> {
        let index = self.table.indexes().iter().find(|index| index.name() == page.index).unwrap();
        let only = page.only.map(|(name, cell)| {
            (self.table.columns().iter().position(|column| column.name == name).unwrap(), cell)
        });
        let place = |row: &Vec<Value>| index.order().iter().map(|at| row[*at].clone()).collect::<Vec<_>>();
        let before = page.before.map(|cells| cells.to_vec());
        let rows = self.rows.lock().unwrap();
        let mut found: Vec<Vec<Value>> = rows
            .values()
            .filter(|row| index.equal().iter().zip(page.equal).all(|(at, cell)| row[*at].as_cell() == *cell))
            .filter(|row| only.is_none_or(|(at, cell)| row[at].as_cell() == cell))
            .filter(|row| {
                let place = place(row);
                before.as_ref().is_none_or(|before| place.iter().map(Value::as_cell).collect::<Vec<_>>() < *before)
            })
            .cloned()
            .collect();
        found.sort_by_key(|row| std::cmp::Reverse(place(row)));
        found.truncate(page.limit);
        found
    }
}

impl Rows for TestRows {
    fn table(&self) -> &Table {
        &self.table
    }

    fn upsert<'a>(&'a self, _: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>> {
        unreachable!("the service writes no row")
    }

    fn find<'a>(&'a self, _: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Option<Vec<Value>>, StoreError>> {
        unreachable!("the service reads lists")
    }

    fn find_many<'a>(&'a self, _: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Vec<Option<Vec<Value>>>, StoreError>> {
        unreachable!("the service reads lists")
    }

    fn newest<'a>(&'a self, page: &'a Newest<'a>) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>> {
        Box::pin(async move {
            self.script.read().await?;
            Ok(self.newest_rows(page))
        })
    }

    fn scan<'a>(
        &'a self,
        _: Option<&'a [Cell<'a>]>,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>> {
        unreachable!("the service walks no table")
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        unreachable!("the service counts nothing")
    }

    fn check_schema(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn migrate(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.script.pass())
    }
}

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
        let rows = TestRows { script: Script::new(), table: table(), rows: Mutex::default() };
        let (rows, switch) = (Arc::new(rows), Switch::new(Mode::Off));
        let sources = Sources { timelines: timelines.clone(), limits, switch: switch.clone(), rows: rows.clone() };
        let router = router(QueryState::new(sources, None, config.settings().unwrap()));
        Self { timelines, rows, switch, router }
    }

    /// As the topology would, into both stores.
    pub(super) async fn store(&self, records: &[Decoded]) {
        self.store_timelines(records).await;
        self.store_rows(records);
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
