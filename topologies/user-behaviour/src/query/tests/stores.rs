//! Stores that do as they are told.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::BoxFuture;
use squall::store::row::{Cell, Newest, Table, Value};
use squall::store::timeline::memory::MemoryTimelines;
use squall::store::timeline::{Entry, Limits, Profile, Timeline, Whole};
use squall::store::{Rows, StoreError, Timelines};

use crate::record::Decoded;
use crate::schema::{cells, table};

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

    fn read<'a>(
        &'a self,
        owner: &'a str,
        line: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Timeline, StoreError>> {
        Box::pin(async move {
            self.script.read().await?;
            self.behind().read(owner, line, limit).await
        })
    }

    fn begin_repair<'a>(&'a self, owner: &'a str, repair: u64) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        Box::pin(async move {
            self.script.pass().await?;
            self.behind().begin_repair(owner, repair).await
        })
    }

    fn end_repair<'a>(
        &'a self,
        owner: &'a str,
        repair: u64,
        whole: Whole,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            self.script.pass().await?;
            self.behind().end_repair(owner, repair, whole).await
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
    pub(super) fn new() -> Self {
        Self { script: Script::new(), table: table(), rows: Mutex::default() }
    }

    pub(super) fn put(&self, decoded: &Decoded) {
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

    /// Makes what stands in a row unreadable.
    pub(super) fn spoil(&self, user: &str, event: &str) {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.get_mut(&(user.to_owned(), event.to_owned())).unwrap();
        *row.last_mut().unwrap() = Value::Text("[]".to_owned());
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
