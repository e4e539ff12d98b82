//! Rows that can never be stored.

use super::rows::{compare, empty, put, random_records, record, upsert};
use super::{Model, Record, Statement, Subject};
use crate::store::StoreError;
use crate::store::row::Cell;
use crate::testing::store::Random;

/// Rows out of the declared bounds are named by their index, the others are stored.
///
/// # Panics
/// When an index is missing, too many, or of another class.
pub async fn check_bad_rows(subject: &mut dyn Subject) {
    let store = empty(subject, Statement { rows: 3, bytes: 1 << 20 }).await;
    let long = "长".repeat(22);
    let good = record("u", "e", 1, "t");
    let other = record("u", "f", 1, "t");
    let newer_and_bad = Record { at: 2, body: Some(vec![0; 70_001]), ..good.clone() };
    let records = [
        Record { user: long.clone(), ..good.clone() },
        good.clone(),
        Record { tie: long.clone(), ..good.clone() },
        newer_and_bad,
        Record { note: Some("x".repeat(257)), ..good.clone() },
        other.clone(),
    ];
    let mut cells: Vec<Cell<'_>> = records.iter().flat_map(Record::cells).collect();
    let third = records[2].cells();
    cells.extend([Cell::Null, third[1], third[2], third[1], Cell::Null, Cell::Null, Cell::Null]);
    cells.extend([third[0], third[1], Cell::Null, third[1], Cell::Null, Cell::Null, Cell::Null]);
    cells.extend([third[0], third[1], Cell::Text("1"), third[1], Cell::Null, Cell::Null, Cell::Null]);
    let refused = store.upsert(&cells).await.expect("the batch is written");
    assert!(refused.iter().all(|(_, error)| matches!(error, StoreError::BadRow { .. })), "{refused:?}");
    assert_eq!(refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 2, 3, 4, 6, 7, 8]);
    let mut model = Model::default();
    model.extend([good, other]);
    compare(&store, &model, "good rows").await;
    assert!(store.upsert(&cells[..6]).await.is_err(), "cells that are not whole rows");
}

/// Rows that only the server refuses (by a constraint that was not declared) are found among hundreds; the others are
/// stored, and an older version that the bad row had replaced in its batch as well.
///
/// # Panics
/// When an index is missing, too many, or of another class.
pub async fn check_refused_by_the_server(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    for rows in [500, 16] {
        let store = empty(subject, Statement { rows, bytes: 1 << 20 }).await;
        let mut records = random_records(&mut random, 200);
        let mut bad = vec![];
        for at in [0, 77, 78, 199] {
            records[at].amount = Some(13);
            records[at].at = 100;
            bad.push(at);
        }
        let refused = upsert(&store, &records).await.expect("the batch is written");
        assert!(refused.iter().all(|(_, error)| matches!(error, StoreError::BadRow { .. })), "{refused:?}");
        // A bad row that another replaces in the batch is never sent.
        let refused: Vec<usize> = refused.into_iter().map(|(at, _)| at).collect();
        let newer = |at: usize| {
            let key = |record: &Record| (record.user.clone(), record.event.clone());
            bad.iter().any(|other| {
                let order = |at: usize| (records[at].tie.as_bytes(), at);
                key(&records[*other]) == key(&records[at]) && order(*other) > order(at)
            })
        };
        assert!(refused.iter().all(|at| bad.contains(at)), "seed {seed}: {refused:?}");
        assert!(bad.iter().all(|at| refused.contains(at) || newer(*at)), "seed {seed}: {refused:?}");
        let mut model = Model::default();
        model
            .extend(records.into_iter().enumerate().filter(|(at, _)| !bad.contains(at)).map(|(_, record)| record));
        compare(&store, &model, &format!("seed {seed}, {rows} rows")).await;
        put(&store, &[record("after", "e", 1, "")]).await;
    }
}
