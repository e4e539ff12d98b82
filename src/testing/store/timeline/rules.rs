//! Single rules, by example.

use std::time::Duration;

use super::Subject;
use super::write::{DAY, DAY_MS, apply, write};
use crate::store::timeline::Limits;

/// What was trimmed by number or by age stays out when it comes again.
///
/// # Panics
/// When it does not.
pub async fn check_trimmed_stays_out(subject: &mut dyn Subject) {
    let at = DAY * DAY_MS;
    let limits = Limits { keep: 2, max_age: Duration::from_millis(100), count_days: 30 };
    let store = subject.fresh(limits).await;
    let ids = async || {
        let timeline = store.timeline("u", Some("l"), 10).await.expect("a timeline is read");
        timeline.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    let (a, b, c) =
        (write("u", "l", "v", "a", at), write("u", "l", "v", "b", at + 1), write("u", "l", "v", "c", at + 2));
    for entry in [&a, &b, &c] {
        apply(&store, std::slice::from_ref(entry)).await;
    }
    assert_eq!(ids().await, ["c", "b"], "the two newest are kept");
    apply(&store, std::slice::from_ref(&a)).await;
    assert_eq!(ids().await, ["c", "b"], "what was trimmed by number stays out");
    apply(&store, &[write("u", "l", "v", "d", at + 101)]).await;
    assert_eq!(ids().await, ["d", "c"], "the age counts from the newest, and its bound is excluded");
    apply(&store, &[write("u", "l", "v", "d", at + 102)]).await;
    apply(&store, &[b, c]).await;
    assert_eq!(ids().await, ["d"], "what was trimmed by age stays out");
    apply(&store, &[write("u", "l", "v", "a", at + 102)]).await;
    assert_eq!(ids().await, ["d", "a"], "a newer version comes in; of equal times the greater id is newer");
}

/// An entry replaces one with the same id and time, an older one does not; so does the latest of an action.
///
/// # Panics
/// When it does not.
pub async fn check_equal_replaces(subject: &mut dyn Subject) {
    let at = DAY * DAY_MS;
    let store = subject.fresh(Limits::default()).await;
    let body = |text: &str, at_ms| super::Write { body: text.into(), ..write("u", "l", "v", "a", at_ms) };
    for (written, expected) in [
        (vec![body("first", at)], "first"),
        (vec![body("corrected", at)], "corrected"),
        (vec![body("late", at - 1)], "corrected"),
        (vec![body("x", at), body("y", at)], "y"),
        (vec![body("newer", at + 1), body("older", at)], "newer"),
    ] {
        apply(&store, &written).await;
        let timeline = store.timeline("u", Some("l"), 10).await.expect("a timeline is read");
        let bodies: Vec<&[u8]> = timeline.iter().map(|entry| &*entry.body).collect();
        assert_eq!(bodies, [expected.as_bytes()], "an id stands once, in its newest version");
        let profile = store.profile("u").await.expect("a profile is read").expect("the owner is known");
        assert_eq!(profile.lines["l"].latest["v"].body, expected.as_bytes());
    }
}

/// Counts are of distinct entries, by day, and end with the days that are kept.
///
/// # Panics
/// When they are not.
pub async fn check_counts(subject: &mut dyn Subject) {
    let at = DAY * DAY_MS;
    let store = subject.fresh(Limits { count_days: 2, ..Limits::default() }).await;
    let first: Vec<_> = (0..700).map(|n| write("u", "l", "v", &format!("id-{n}"), at + n)).collect();
    for _ in 0..3 {
        apply(&store, &first).await;
    }
    apply(&store, &[write("u", "m", "v", "id-0", at), write("u", "l", "w", "id-0", at + 1)]).await;
    let counts = async |line: &str, action: &str, day: i64| {
        let profile = store.profile("u").await.expect("a profile is read").expect("the owner is known");
        let days = profile.lines.get(line).and_then(|line| line.counts.get(action));
        days.and_then(|days| days.get(&day).copied())
    };
    assert_eq!(counts("l", "v", DAY).await, Some(700), "a replay does not inflate a count");
    assert_eq!((counts("m", "v", DAY).await, counts("l", "w", DAY).await), (Some(1), Some(1)));
    apply(&store, &[write("u", "m", "v", "next", at + DAY_MS)]).await;
    assert_eq!(counts("l", "v", DAY).await, Some(700), "two days are kept");
    apply(&store, &[write("u", "m", "v", "last", at + 2 * DAY_MS)]).await;
    assert_eq!(counts("l", "v", DAY).await, None, "the newest day of any line ends the oldest of all");
    apply(&store, &first).await;
    assert_eq!(counts("l", "v", DAY).await, None, "a day that ended stays out");
    assert_eq!(counts("m", "v", DAY + 1).await, Some(1));
}
