//! Of two versions the newer.

use super::rows::{empty, put, record, walk};
use super::{Record, Statement, Subject};

/// Older never replaces, equal does, and the version is compared column by column, texts as bytes.
///
/// # Panics
/// When another version is stored.
pub async fn check_version_guard(subject: &mut dyn Subject) {
    let store = empty(subject, Statement::default()).await;
    let one = |at, tie, note: &str| Record { note: Some(note.to_owned()), ..record("u", "e", at, tie) };
    for (written, stored) in [
        (one(5, "m", "first"), "first"),
        (one(4, "z", "older at"), "first"),
        (one(5, "a", "older tie"), "first"),
        (one(5, "M", "upper case is less"), "first"),
        (one(5, "m", "equal"), "equal"),
        (one(5, "m ", "a blank is more"), "a blank is more"),
        (one(5, "m", "no longer equal"), "a blank is more"),
        (one(6, "a", "newer at, lesser tie"), "newer at, lesser tie"),
        (one(5, "z", "older at, greater tie"), "newer at, lesser tie"),
        (one(-1, "z", "negative"), "newer at, lesser tie"),
        (one(6, "酒", "greater tie"), "greater tie"),
        (one(i64::MAX, "", "greatest"), "greatest"),
        (one(i64::MIN, "z", "least"), "greatest"),
    ] {
        put(&store, std::slice::from_ref(&written)).await;
        let rows = walk(&store, 10).await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0][4].as_cell(), crate::store::row::Cell::Text(stored), "after {written:?}");
    }
    let cleared = Record { note: None, amount: None, body: None, ..record("u", "e", i64::MAX, "") };
    put(&store, std::slice::from_ref(&cleared)).await;
    assert_eq!(walk(&store, 10).await, [cleared.values()], "a replacement replaces every value, by null as well");
}

/// Several of one key in a batch: the newest wins, and of equal versions the last.
///
/// # Panics
/// When another is stored.
pub async fn check_duplicates_in_a_batch(subject: &mut dyn Subject) {
    for rows in [1, 500] {
        let store = empty(subject, Statement { rows, bytes: 1 << 20 }).await;
        let one = |at, note: &str| Record { note: Some(note.to_owned()), ..record("u", "e", at, "t") };
        let last = one(7, "the last of the newest");
        put(&store, &[one(3, "a"), one(7, "b"), record("u", "f", 1, "t"), one(7, "c"), last.clone(), one(6, "d")])
            .await;
        assert_eq!(walk(&store, 10).await, [last.values(), record("u", "f", 1, "t").values()]);
    }
}
