//! What is read back.

use super::Subject;
use super::write::{DAY, DAY_MS, apply, write};
use super::{Model, Write};
use crate::store::timeline::{Limits, Whole};

/// An owner, a line that nothing was written for.
///
/// # Panics
/// When they are not empty.
pub async fn check_empty(subject: &mut dyn Subject) {
    let store = subject.fresh(Limits::default()).await;
    store.ping().await.expect("a ping is answered");
    assert_eq!(store.owners().await.expect("owners are counted"), 0);
    assert_eq!(store.profile("nobody").await.expect("a profile is read"), None);
    assert_eq!(store.timeline("nobody", None, 10).await.expect("a timeline is read"), []);
    assert!(store.apply(&[]).await.expect("an empty batch is written").is_empty());
    apply(&store, &[write("u", "l", "v", "a", 0)]).await;
    assert_eq!(store.timeline("u", Some("other"), 10).await.expect("a timeline is read"), []);
    assert_eq!(store.timeline("U", None, 10).await.expect("a timeline is read"), [], "owners compare as bytes");
    store.flush().await.expect("a flush succeeds");
}

/// When an owner counts as whole.
///
/// # Panics
/// When a mark stands that vouches for nothing, or one is missing.
pub async fn check_repairs(subject: &mut dyn Subject) {
    let store = subject.fresh(Limits::default()).await;
    let whole = async |owner: &str| {
        let read = store.read(owner, None, 10).await.expect("a timeline is read");
        let profile = store.profile(owner).await.expect("a profile is read");
        assert_eq!(profile.map_or(Whole::Unknown, |profile| profile.whole), read.whole, "{owner}");
        read.whole
    };
    let begin = async |repair| store.begin_repair("u", repair).await.expect("a repair begins");
    let end = async |repair, whole| store.end_repair("u", repair, whole).await.expect("a repair ends");
    let (unknown, all) = (Whole::Unknown, Whole::All);
    assert_eq!(begin(1).await, None, "nothing is held of the owner");
    assert!(!end(1, all).await && whole("u").await == unknown);
    assert_eq!(store.profile("u").await.expect("a profile is read"), None, "a repair makes no owner");
    apply(&store, &[write("u", "l", "v", "a", 0), write("v", "l", "v", "a", 0)]).await;
    assert!(whole("u").await == unknown && !end(1, all).await);
    assert_eq!(begin(u64::MAX).await, Some(u64::MAX));
    apply(&store, &[write("u", "m", "v", "b", 1)]).await;
    assert!(whole("u").await == unknown && !end(1, all).await, "another repair");
    assert!(end(u64::MAX, all).await && whole("u").await == all);
    apply(&store, &[write("u", "m", "v", "c", 2)]).await;
    assert!(whole("u").await == all && whole("v").await == unknown, "writes do not change it");
    assert_eq!((begin(2).await, begin(3).await), (Some(2), Some(2)), "who comes later takes part");
    assert_eq!(whole("u").await, unknown);
    assert!(!end(3, all).await && end(2, Whole::Timelines).await && !end(2, all).await);
    assert_eq!(whole("u").await, Whole::Timelines);
}

/// `limit`, from nothing to all.
///
/// # Panics
/// When a read gives more, fewer or others.
pub async fn check_limits_of_reads(subject: &mut dyn Subject) {
    let store = subject.fresh(Limits::default()).await;
    let writes: Vec<Write> = (0..50)
        .map(|n| write("u", ["l", "m"][n % 2], "v", &format!("{n}"), DAY * DAY_MS + n as i64 / 3))
        .collect();
    apply(&store, &writes).await;
    let mut model = Model::new(Limits::default());
    model.extend(writes);
    for limit in [0, 1, 2, 24, 25, 26, 49, 50, 51, usize::MAX] {
        for line in [None, Some("l"), Some("m")] {
            let read = store.timeline("u", line, limit).await.expect("a timeline is read");
            assert_eq!(read, model.timeline("u", line, limit), "{line:?}, limit {limit}");
        }
    }
}

/// Many entries, most of them of one line.
///
/// # Panics
/// When a read gives more, fewer or others.
pub async fn check_long_timelines(subject: &mut dyn Subject) {
    let limits = Limits { keep: 10_000, ..Limits::default() };
    let store = subject.fresh(limits).await;
    let line = |n: usize| if n.is_multiple_of(16) { ["k", "m", "n"][n / 16 % 3] } else { "l" };
    let writes: Vec<Write> =
        (0..9_600).map(|n| write("u", line(n), "v", &format!("{n}"), DAY * DAY_MS + n as i64 / 3)).collect();
    apply(&store, &writes).await;
    let mut model = Model::new(limits);
    model.extend(writes);
    for (line, limit) in
        [(None, 20), (None, 1_000), (None, 9_599), (None, usize::MAX), (Some("l"), 8_999), (Some("l"), usize::MAX)]
    {
        let read = store.timeline("u", line, limit).await.expect("a timeline is read");
        assert!(read == model.timeline("u", line, limit), "{line:?}, limit {limit}");
    }
}

/// All lines merged, with equal times among them and an id that stands in two.
///
/// # Panics
/// When the order is not by `(at_ms, id)`, bytewise.
pub async fn check_merged_order(subject: &mut dyn Subject) {
    let store = subject.fresh(Limits::default()).await;
    let at = DAY * DAY_MS;
    let ids = ["a", "B", "é", "zz", "z", "用", "🏨", "10", "9"];
    let mut writes = vec![];
    for (n, id) in ids.iter().enumerate() {
        writes.push(write("u", ["hotel", "机票", "x"][n % 3], "v", id, at + (n / 6) as i64));
    }
    writes.push(write("u", "x", "v", "a", at + 9));
    apply(&store, &writes).await;
    let mut model = Model::new(Limits::default());
    model.extend(writes);
    let read = store.timeline("u", None, 100).await.expect("a timeline is read");
    assert_eq!(read, model.timeline("u", None, 100));
}

/// Bodies that are empty, binary and large, and the greatest time.
///
/// # Panics
/// When one comes back otherwise.
pub async fn check_bodies(subject: &mut dyn Subject) {
    let store = subject.fresh(Limits::default()).await;
    let all: Vec<u8> = (0..=255).collect();
    let bodies = [vec![], all.clone(), b"\r\n$-1\r\n".to_vec(), all.repeat(1024), "酒店🏨".into()];
    let top = 1_i64 << 53;
    for (n, body) in bodies.iter().enumerate() {
        let id = format!("{n}");
        apply(&store, &[Write { body: body.clone(), ..write("u", "l", "v", &id, top - n as i64) }]).await;
    }
    let read = store.timeline("u", Some("l"), 10).await.expect("a timeline is read");
    let expected: Vec<(i64, Vec<u8>)> = (0..).map(|n| top - n).zip(bodies).collect();
    let read: Vec<(i64, Vec<u8>)> = read.into_iter().map(|entry| (entry.at_ms, entry.body)).collect();
    assert_eq!(read, expected);
}
