//! Steps that several checks take.

use std::sync::Arc;

use super::super::Random;
use super::{Model, Record, Statement, Subject};
use crate::store::row::{Cell, Value};
use crate::store::{Rows, StoreError};

/// An empty table.
pub(super) async fn empty(subject: &mut dyn Subject, statement: Statement) -> Arc<dyn Rows> {
    subject.fresh().await;
    let migrations = subject.migrations();
    let store = subject.open(statement, migrations).await.expect("a store opens");
    store.migrate().await.expect("an empty database is migrated");
    store
}

/// A record whose values tell its version.
pub(super) fn record(user: &str, event: &str, at: i64, tie: &str) -> Record {
    Record {
        user: user.to_owned(),
        event: event.to_owned(),
        at,
        tie: tie.to_owned(),
        note: Some(format!("{at}/{tie} 酒店🏨")),
        amount: Some(at.wrapping_mul(1000)),
        body: Some(format!("{user}/{event}@{at}/{tie}").into_bytes()),
    }
}

/// Records of few keys and versions: collisions of every kind.
pub(super) fn random_records(random: &mut Random, count: usize) -> Vec<Record> {
    let users = ["Abc", "aBC", "abc ", "abc", "用户", "🏨", "é", "é"];
    let events = ["1", "1 ", "a", "A", "10", "9"];
    let ties = ["", "a", "A", "a ", "酒"];
    let one = |random: &mut Random| {
        let at = random.below(5) as i64 - 2;
        record(random.pick(&users), random.pick(&events), at, random.pick(&ties))
    };
    (0..count).map(|_| one(random)).collect()
}

/// Writes a batch; what was refused.
pub(super) async fn upsert(
    store: &Arc<dyn Rows>,
    records: &[Record],
) -> Result<Vec<(usize, StoreError)>, StoreError> {
    let cells: Vec<Cell<'_>> = records.iter().flat_map(Record::cells).collect();
    store.upsert(&cells).await
}

/// Writes a batch of which nothing may be refused.
pub(super) async fn put(store: &Arc<dyn Rows>, records: &[Record]) {
    let refused = upsert(store, records).await.expect("a batch is written");
    assert!(refused.is_empty(), "nothing may be refused: {refused:?}");
}

/// Walks the whole table in pages of `page` rows.
pub(super) async fn walk(store: &Arc<dyn Rows>, page: usize) -> Vec<Vec<Value>> {
    let keys = store.table().keys().len();
    let mut all: Vec<Vec<Value>> = Vec::new();
    loop {
        let after: Option<Vec<Cell<'_>>> = all.last().map(|row| row[..keys].iter().map(Value::as_cell).collect());
        let rows = store.scan(after.as_deref(), page).await.expect("a page is read");
        assert!(rows.len() <= page, "at most `limit` rows");
        let last = rows.len() < page;
        all.extend(rows);
        if last {
            return all;
        }
    }
}

/// Compares everything that can be read with the model.
pub(super) async fn compare(store: &Arc<dyn Rows>, model: &Model, what: &str) {
    let expected = model.rows();
    assert_eq!(walk(store, 7).await, expected, "{what}");
    assert_eq!(store.count().await.expect("rows are counted"), expected.len() as u64, "{what}");
}
