//! What the rows hold of a user.

use std::sync::Arc;

use compact_str::CompactString;
use squall::service::http::Deadline;
use squall::service::read::{Flights, ReadGate, Unread};
use squall::store::row::{Cell, Newest, Value};
use squall::store::{Rows, StoreError};

use super::{Ask, Item, Place};
use crate::schema::{NEWEST, RECENT};

/// Things that are read at the same time and joined, at most.
const FLIGHTS: u64 = 65_536;

/// Some of the newest rows, newest first.
#[derive(Debug, Default)]
pub(super) struct RowsPage {
    pub(super) items: Vec<Item>,
    /// Place of the last row that was read; none at the end of all.
    pub(super) next: Option<Place>,
    /// Whether all rows that were read are records.
    pub(super) readable: bool,
}

impl RowsPage {
    /// Whether there are no older ones.
    pub(super) fn ended(&self) -> bool {
        self.next.is_none()
    }
}

/// What is read at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Reading {
    /// The newest of a user, or of a user and business: as many as a timeline keeps, whoever asks for fewer.
    Seed(CompactString, Option<CompactString>),
    Page(Ask),
}

/// Reads rows. Clones share what is under way.
#[derive(Clone)]
pub(super) struct RowReader {
    rows: Arc<dyn Rows>,
    indexes: Arc<[String; 2]>,
    seed: usize,
    flights: Flights<Reading, Result<Arc<RowsPage>, Unread>>,
}

impl RowReader {
    /// Reads at least `seed` of the newest.
    pub(super) fn new(rows: Arc<dyn Rows>, seed: usize) -> Self {
        let indexes = [NEWEST, RECENT].map(|end| format!("{}_{end}", rows.table().name()));
        Self { rows, indexes: Arc::new(indexes), seed, flights: Flights::new(FLIGHTS) }
    }

    /// A page; of the newest more than it asks for, to compare the timelines with.
    pub(super) async fn page(
        &self,
        gate: &ReadGate,
        ask: &Ask,
        deadline: Deadline,
    ) -> Result<Arc<RowsPage>, Unread> {
        if !ask.is_plain() {
            return self.no_more(gate, ask, deadline).await;
        }
        let seed = Ask { limit: self.seed.max(ask.limit), ..ask.clone() };
        self.joined(gate, seed, Reading::Seed(ask.user.clone(), ask.business.clone()), deadline).await
    }

    /// A page, and no row more than it asks for: what is for nobody else should not cost this one.
    pub(super) async fn no_more(
        &self,
        gate: &ReadGate,
        ask: &Ask,
        deadline: Deadline,
    ) -> Result<Arc<RowsPage>, Unread> {
        self.joined(gate, ask.clone(), Reading::Page(ask.clone()), deadline).await
    }

    /// Concurrent reads of the same are one query, which ends within its own time: it is waited for until `deadline`.
    async fn joined(
        &self,
        gate: &ReadGate,
        ask: Ask,
        reading: Reading,
        deadline: Deadline,
    ) -> Result<Arc<RowsPage>, Unread> {
        if deadline.left().is_zero() {
            return Err(Unread::Late);
        }
        let (reader, gate) = (self.clone(), gate.clone());
        let load = async move { reader.read(&gate, &ask, Deadline::after(gate.patience())).await.map(Arc::new) };
        let flight = self.flights.run(reading, load);
        tokio::time::timeout_at(deadline.at(), flight).await.unwrap_or(Err(Unread::Late))
    }

    /// One query.
    pub(super) async fn read(&self, gate: &ReadGate, ask: &Ask, deadline: Deadline) -> Result<RowsPage, Unread> {
        let query = newest(self.rows.clone(), self.indexes.clone(), ask.clone());
        let rows = gate.call_to_its_end(deadline, query).await?;
        let next = rows.last().filter(|_| rows.len() >= ask.limit).and_then(|row| place(row));
        let items: Vec<Item> = rows.iter().filter_map(|row| readable(row)).collect();
        Ok(RowsPage { readable: items.len() == rows.len(), items, next })
    }
}

async fn newest(rows: Arc<dyn Rows>, indexes: Arc<[String; 2]>, ask: Ask) -> Result<Vec<Vec<Value>>, StoreError> {
    let [newest, recent] = &*indexes;
    let (index, equal) = match &ask.business {
        Some(business) => (newest, vec![Cell::Text(&ask.user), Cell::Text(business)]),
        None => (recent, vec![Cell::Text(&ask.user)]),
    };
    let before = ask.before.as_ref().map(|place| [Cell::Int(place.at_ms), Cell::Text(&place.id)]);
    let page = Newest {
        index,
        equal: &equal,
        only: ask.action.as_ref().map(|action| ("action", Cell::Text(action))),
        before: before.as_ref().map(|place| &place[..]),
        limit: ask.limit,
    };
    rows.newest(&page).await
}

fn place(row: &[Value]) -> Option<Place> {
    match row {
        [_, Value::Text(id), Value::Int(at_ms), ..] => Some(Place { at_ms: *at_ms, id: id.as_str().into() }),
        _ => None,
    }
}

fn readable(row: &[Value]) -> Option<Item> {
    let item = Item::of_row(row);
    item.inspect_err(|error| tracing::warn!(%error, "a row that is no record is left out of an answer")).ok()
}
