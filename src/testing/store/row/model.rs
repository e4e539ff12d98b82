//! What a store must hold: of everything that was ever written, the greatest version of each key.

use std::collections::BTreeMap;

use crate::store::row::{Cell, Value};

/// A row of the suite's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// First part of the key.
    pub user: String,
    /// Second part of the key.
    pub event: String,
    /// First part of the version.
    pub at: i64,
    /// Second part of the version.
    pub tie: String,
    /// A text value.
    pub note: Option<String>,
    /// A number.
    pub amount: Option<i64>,
    /// A binary value.
    pub body: Option<Vec<u8>>,
}

impl Record {
    /// The cells that a store is given.
    pub fn cells(&self) -> [Cell<'_>; 7] {
        [
            Cell::Text(&self.user),
            Cell::Text(&self.event),
            Cell::Int(self.at),
            Cell::Text(&self.tie),
            self.note.as_deref().map_or(Cell::Null, Cell::Text),
            self.amount.map_or(Cell::Null, Cell::Int),
            self.body.as_deref().map_or(Cell::Null, Cell::Bytes),
        ]
    }

    /// The values that are read back.
    pub fn values(&self) -> Vec<Value> {
        vec![
            Value::Text(self.user.clone()),
            Value::Text(self.event.clone()),
            Value::Int(self.at),
            Value::Text(self.tie.clone()),
            self.note.clone().map_or(Value::Null, Value::Text),
            self.amount.map_or(Value::Null, Value::Int),
            self.body.clone().map_or(Value::Null, Value::Bytes),
        ]
    }
}

/// Everything that was ever written.
#[derive(Debug, Clone, Default)]
pub struct Model(BTreeMap<(Vec<u8>, Vec<u8>), Record>);

impl Model {
    /// Remembers writes, in the order they were made in.
    pub fn extend(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            let key = (record.user.clone().into_bytes(), record.event.clone().into_bytes());
            let stored = self.0.entry(key).or_insert_with(|| record.clone());
            if (record.at, record.tie.as_bytes()) >= (stored.at, stored.tie.as_bytes()) {
                *stored = record;
            }
        }
    }

    /// The rows of `user`, of those with `amount` if it is given, newest first by time, tie and event.
    pub fn newest(&self, user: &str, amount: Option<i64>) -> Vec<Vec<Value>> {
        let wanted = |record: &&Record| record.user == user && (amount.is_none() || record.amount == amount);
        let mut records: Vec<&Record> = self.0.values().filter(wanted).collect();
        let place =
            |record: &Record| (record.at, record.tie.clone().into_bytes(), record.event.clone().into_bytes());
        records.sort_by_key(|record| std::cmp::Reverse(place(record)));
        records.into_iter().map(Record::values).collect()
    }

    /// All rows by key, compared as bytes.
    pub fn rows(&self) -> Vec<Vec<Value>> {
        self.0.values().map(Record::values).collect()
    }
}
