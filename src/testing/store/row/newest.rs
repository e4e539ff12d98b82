//! The newest rows, page by page.

use std::sync::Arc;

use super::super::Random;
use super::rows::{empty, put, random_records, record};
use super::{Model, Record, Statement, Subject};
use crate::store::row::{Cell, Newest, Value};
use crate::store::{Rows, StoreError};

/// Users that [`random_records`] writes for, and one that has nothing.
const USERS: [&str; 4] = ["Abc", "abc ", "用户", "nobody"];

/// Pages of every size, of a user and of those rows with a number, by the index that has it and by a filter.
///
/// # Panics
/// When the pages are not all rows, newest first.
pub async fn check_newest(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    let store = empty(subject, Statement::default()).await;
    let mut records = random_records(&mut random, 300);
    for record in &mut records {
        record.amount = random.pick(&[None, Some(-1), Some(7)]);
    }
    put(&store, &records).await;
    let mut model = Model::default();
    model.extend(records);
    for user in USERS {
        for page in [1, 2, 7, 1000] {
            let all = walk(&store, user, None, page).await;
            assert_eq!(all, model.newest(user, None), "seed {seed}, {user}, pages of {page}");
            for amount in [-1, 7, 8] {
                let expected = model.newest(user, Some(amount));
                let what = format!("seed {seed}, {user}, {amount}, pages of {page}");
                assert_eq!(walk(&store, user, Some((amount, true)), page).await, expected, "{what}, by the index");
                assert_eq!(walk(&store, user, Some((amount, false)), page).await, expected, "{what}, by a filter");
            }
        }
    }
    refusals(&store).await;
}

/// Newer and older rows that arrive between two pages: what was there stays where it is.
///
/// # Panics
/// When a row comes twice, or is left out.
pub async fn check_newest_beside_writers(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    let store = empty(subject, Statement::default()).await;
    let there: Vec<Record> = (0..60).map(|n| record("u", &format!("e{n}"), random.below(20) as i64, "")).collect();
    put(&store, &there).await;
    let mut model = Model::default();
    model.extend(there);
    let expected = model.newest("u", None);
    let mut seen: Vec<Vec<Value>> = Vec::new();
    for round in 0.. {
        let rows = page(&store, "u", None, seen.last(), 7).await.expect("a page is read");
        if rows.is_empty() {
            break;
        }
        seen.extend(rows);
        put(&store, &[record("u", &format!("new{round}"), 100 + round, ""), record("v", "e", 1, "")]).await;
    }
    assert_eq!(seen, expected, "seed {seed}");
}

async fn refusals(store: &Arc<dyn Rows>) {
    let user = [Cell::Text("Abc")];
    let good = Newest { index: "conformance_recent", equal: &user, only: None, before: None, limit: 3 };
    assert_eq!(
        store.newest(&Newest { limit: 0, ..good }).await.expect("no row is read"),
        Vec::<Vec<Value>>::new()
    );
    let long = "x".repeat(65);
    let (too_long, place) = ([Cell::Text(&long)], [Cell::Int(1)]);
    for bad in [
        Newest { index: "conformance_none", ..good },
        Newest { equal: &[], ..good },
        Newest { equal: &[Cell::Int(1)], ..good },
        Newest { equal: &[Cell::Null], ..good },
        Newest { equal: &too_long, ..good },
        Newest { before: Some(&place), ..good },
        Newest { only: Some(("none", Cell::Int(1))), ..good },
        Newest { only: Some(("amount", Cell::Text("1"))), ..good },
    ] {
        let error = store.newest(&bad).await.expect_err("it is no page");
        let told = matches!(error, StoreError::Config { .. } | StoreError::BadRow { .. });
        assert!(told, "{bad:?}: {error}");
    }
}

/// All rows, each page from the last row of the one before.
async fn walk(store: &Arc<dyn Rows>, user: &str, amount: Option<(i64, bool)>, limit: usize) -> Vec<Vec<Value>> {
    let mut all: Vec<Vec<Value>> = Vec::new();
    loop {
        let rows = page(store, user, amount, all.last(), limit).await.expect("a page is read");
        assert!(rows.len() <= limit, "at most `limit` rows");
        let last = rows.len() < limit;
        all.extend(rows);
        if last {
            return all;
        }
    }
}

/// A page; the number by the index that has it, or by a filter.
async fn page(
    store: &Arc<dyn Rows>,
    user: &str,
    amount: Option<(i64, bool)>,
    after: Option<&Vec<Value>>,
    limit: usize,
) -> Result<Vec<Vec<Value>>, StoreError> {
    let before = after.map(|row| [row[2].as_cell(), row[3].as_cell(), row[1].as_cell()]);
    let before = before.as_ref().map(|place| &place[..]);
    let of_user = [Cell::Text(user)];
    let recent = Newest { index: "conformance_recent", equal: &of_user, only: None, before, limit };
    match amount {
        None => store.newest(&recent).await,
        Some((amount, false)) => {
            store.newest(&Newest { only: Some(("amount", Cell::Int(amount))), ..recent }).await
        }
        Some((amount, true)) => {
            let equal = [Cell::Text(user), Cell::Int(amount)];
            store.newest(&Newest { index: "conformance_newest", equal: &equal, ..recent }).await
        }
    }
}
