//! Groups with two members.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::Subject;
use super::member::Member;
use super::support::{DEADLINE, append, create, fresh, numbered};
use crate::broker::GroupSettings;

const PARTITIONS: u32 = 4;

/// Two members share the partitions; what one releases the other resumes exactly there; when one leaves, the
/// other has all again, with greater epochs.
pub async fn check_members_share(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "share", PARTITIONS).await;
    let settings = GroupSettings::new(fresh("group"));
    let mut batches = 0..;
    let mut fill = async || {
        for partition in 0..PARTITIONS {
            let first = batches.next().expect("numbers do not end") * 10;
            append(&broker, &topic, numbered(partition, first, 10)).await;
        }
    };

    fill().await;
    let mut a = Member::joined(&broker, &topic, &settings, 4).await;
    a.until("the first records", |a| a.records.len() == 40).await;

    let mut b = Member::join(&broker, &topic, &settings);
    both(&mut a, &mut b, "shared partitions", |a, b| {
        let all: BTreeSet<u32> = a.owned.keys().chain(b.owned.keys()).copied().collect();
        all.len() == 4 && a.owned.len() == 2 && b.owned.len() == 2
    })
    .await;
    for partition in b.owned.keys() {
        assert_eq!(b.started[partition], 10, "b resumes where a released partition {partition}");
    }
    fill().await;
    both(&mut a, &mut b, "the second records", |a, b| a.records.len() + b.records.len() >= 80).await;
    assert_eq!((a.records.len(), b.records.len()), (60, 20), "each reads its own, once");

    let (kept, moved): (Vec<u32>, Vec<u32>) =
        (a.owned.keys().copied().collect(), b.owned.keys().copied().collect());
    b.close().await;
    a.until("all partitions", |a| a.owned.len() == 4).await;
    for partition in moved {
        assert_eq!(a.started[&partition], 20, "a resumes where b closed partition {partition}");
    }
    for partition in kept {
        assert!(a.next[&partition] == 20, "what a had goes on");
    }
    fill().await;
    a.until("the third records", |a| a.records.len() == 100).await;
    let mut seen = a.numbers();
    seen.dedup();
    assert_eq!(seen.len(), 100, "nothing came twice");
    a.close().await;
}

/// Polls both in turn until `done`.
pub(super) async fn both(a: &mut Member, b: &mut Member, what: &str, done: impl Fn(&Member, &Member) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done(a, b) {
        assert!(Instant::now() < deadline, "no {what}; a owns {:?}, b {:?}", a.owned, b.owned);
        a.step().await;
        b.step().await;
    }
}
