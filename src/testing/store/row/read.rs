//! What is read back.

use super::super::Random;
use super::rows::{compare, empty, put, random_records, record, walk};
use super::{Model, Record, Statement, Subject};
use crate::store::row::Cell;

/// Keys that a folding or padding collation would take for one.
///
/// # Panics
/// When they are not rows of their own.
pub async fn check_keys_are_bytes(subject: &mut dyn Subject) {
    let store = empty(subject, Statement::default()).await;
    let keys =
        ["Abc", "aBC", "abc ", "abc", "abc\u{0}", "ábc", "ábc", "🏨", "🏩", "", " ", "酒店", "\\", "'", "%"];
    let records: Vec<Record> = keys.iter().map(|key| record(key, "e", 1, "")).collect();
    put(&store, &records).await;
    let mut model = Model::default();
    model.extend(records.clone());
    compare(&store, &model, "keys").await;
    for record in &records {
        let found = store.find(&[Cell::Text(&record.user), Cell::Text("e")]).await.expect("a row is looked for");
        assert_eq!(found, Some(record.values()));
    }
    for missing in ["ABC", "abc  ", "a"] {
        let found = store.find(&[Cell::Text(missing), Cell::Text("e")]).await.expect("a row is looked for");
        assert_eq!(found, None, "{missing:?}");
    }
}

/// Values of every kind at their bounds.
///
/// # Panics
/// When one comes back otherwise.
pub async fn check_values(subject: &mut dyn Subject) {
    let store = empty(subject, Statement::default()).await;
    let all: Vec<u8> = (0..=255).collect();
    let long = "酒".repeat(21);
    let plain = record("u", "plain", 1, "");
    let records = [
        Record { note: None, amount: None, body: None, ..plain.clone() },
        Record { event: "empty".into(), note: Some(String::new()), body: Some(vec![]), ..plain.clone() },
        Record { event: "binary".into(), body: Some(all.repeat(250)), amount: Some(i64::MIN), ..plain.clone() },
        Record { event: "quotes".into(), note: Some("'\"\\`\u{0}\r\n%_?🏨".into()), ..plain.clone() },
        Record { event: long.clone(), user: long.clone() + "x", tie: long, amount: Some(i64::MAX), ..plain },
    ];
    put(&store, &records).await;
    let mut model = Model::default();
    model.extend(records);
    compare(&store, &model, "values").await;
}

/// Pages of every size, from the start and from keys that are not there.
///
/// # Panics
/// When a row is missing, doubled or out of order.
pub async fn check_scan(subject: &mut dyn Subject) {
    let store = empty(subject, Statement::default()).await;
    assert_eq!(store.count().await.expect("rows are counted"), 0);
    assert!(walk(&store, 3).await.is_empty());
    assert!(store.upsert(&[]).await.expect("an empty batch is written").is_empty());
    let records: Vec<Record> =
        (0..60).map(|n| record(&format!("u{}", n % 4), &format!("e{}", n / 4), 1, "")).collect();
    put(&store, &records).await;
    let mut model = Model::default();
    model.extend(records);
    let expected = model.rows();
    for page in [1, 2, 15, 59, 60, 61, 1000] {
        assert_eq!(walk(&store, page).await, expected, "pages of {page}");
    }
    let after = [Cell::Text("u1"), Cell::Text("e99")];
    let rows = store.scan(Some(&after), 2).await.expect("a page is read");
    assert_eq!(rows, expected[30..32], "the key of `after` need not be there");
    assert!(store.scan(None, 0).await.expect("a page is read").is_empty());
    assert!(store.find(&after[..1]).await.is_err(), "a key has all its cells");
    store.ping().await.expect("a ping is answered");
}

/// Many keys at once: those that are there and those that are not, some twice, in statements of every size.
///
/// # Panics
/// When an answer is not that of [`Rows::find`](crate::store::Rows::find) for its key, or stands elsewhere.
pub async fn check_find_many(subject: &mut dyn Subject, seed: u64) {
    let mut random = Random::new(seed);
    for statement in
        [Statement::default(), Statement { rows: 7, bytes: 1 << 20 }, Statement { rows: 500, bytes: 300 }]
    {
        let store = empty(subject, statement).await;
        assert!(store.find_many(&[]).await.expect("nothing is looked for").is_empty());
        let records = random_records(&mut random, 120);
        put(&store, &records).await;
        put(&store, &(0..900).map(|n| record("many", &n.to_string(), 1, "")).collect::<Vec<_>>()).await;
        let long = "长".repeat(22);
        let mut asked: Vec<(String, String)> =
            (0..1300).map(|n| ("many".to_owned(), (n * 7 % 1300).to_string())).collect();
        asked.extend(records.iter().map(|record| (record.user.clone(), record.event.clone())));
        for missing in ["ABC", "abc  ", "a", "\u{0}", &long] {
            asked.push((missing.to_owned(), "1".to_owned()));
        }
        random.shuffle(&mut asked);
        let cells: Vec<Cell<'_>> =
            asked.iter().flat_map(|(user, event)| [Cell::Text(user), Cell::Text(event)]).collect();
        let found = store.find_many(&cells).await.expect("rows are looked for");
        assert_eq!(found.len(), asked.len());
        for (key, found) in cells.chunks(2).zip(found) {
            let alone = if key[0] == Cell::Text(&long) { None } else { store.find(key).await.expect("a row") };
            assert_eq!(found, alone, "seed {seed}, {statement:?}, {key:?}");
        }
        assert!(store.find_many(&cells[..3]).await.is_err(), "a key has all its cells");
    }
}
