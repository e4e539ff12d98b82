//! Groups with one member: where they start, what they commit, how they are moved.

use std::time::Duration;

use tokio::time::Instant;

use super::Subject;
use super::member::Member;
use super::support::{DEADLINE, STEP, append, create, fresh, numbered, refused, within};
use crate::broker::{BrokerError, Commit, GroupSettings, StartFrom};

/// A group without commits starts where it was told; one with commits starts there, whatever it is told.
pub async fn check_first_start(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "start", 1).await;
    let base = 1_700_000_000_000;
    let mut records = numbered(0, 0, 10);
    for (n, record) in records.iter_mut().enumerate() {
        record.timestamp_ms = Some(base + n as i64 * 1000);
    }
    append(&broker, &topic, records).await;
    // Each round adds a record of now, so the end is 11 when the second begins.
    let policies = [
        (StartFrom::Earliest, 0),
        (StartFrom::Latest, 11),
        (StartFrom::Timestamp(base + 3500), 4),
        (StartFrom::Timestamp(base + 60_000), 10),
    ];
    for (at, (start_from, expected)) in policies.into_iter().enumerate() {
        let settings = GroupSettings { start_from, ..GroupSettings::new(fresh("start")) };
        let mut member = Member::joined(&broker, &topic, &settings, 1).await;
        assert_eq!(member.started[&0], expected, "{start_from:?}");
        append(&broker, &topic, numbered(0, 10 + at as u64, 1)).await;
        member.until("the fresh record", |m| m.numbers().contains(&(10 + at as u64))).await;
        member.close().await;
    }

    let group = fresh("committed");
    within("reset", broker.reset(&group, &topic, &[(0, 2)])).await.expect("an idle group is moved");
    let settings = GroupSettings { start_from: StartFrom::Latest, ..GroupSettings::new(group) };
    let member = Member::joined(&broker, &topic, &settings, 1).await;
    assert_eq!(member.started[&0], 2, "a commit goes before the policy");
    member.close().await;
}

/// Commits are by group and partition, survive the member, and the next member resumes at them.
pub async fn check_commit_and_resume(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "commit", 2).await;
    append(&broker, &topic, numbered(0, 0, 100)).await;
    append(&broker, &topic, numbered(1, 100, 100)).await;
    let group = fresh("group");
    let settings = GroupSettings::new(&group);
    let none = within("committed", broker.committed(&group, &topic)).await.expect("committed");
    assert_eq!(none, [None, None], "nothing is committed by asking");

    let mut first = Member::joined(&broker, &topic, &settings, 2).await;
    first.until("all records", |m| m.records.len() == 200).await;
    assert_eq!(first.numbers(), (0..200).collect::<Vec<u64>>());
    first.commit(&[Commit::clean(0, 30)]);
    let deadline = Instant::now() + DEADLINE;
    loop {
        let committed = within("committed", broker.committed(&group, &topic)).await.expect("committed");
        if committed == [Some(30), None] {
            break;
        }
        assert!(Instant::now() < deadline, "the commit arrives without a release: {committed:?}");
        let _nothing_new = tokio::time::timeout(Duration::from_millis(50), first.step()).await;
    }
    first.next.insert(0, 40);
    first.next.insert(1, 70);
    first.close().await;
    let committed = within("committed", broker.committed(&group, &topic)).await.expect("committed");
    assert_eq!(committed, [Some(40), Some(70)], "close commits");

    let mut second = Member::joined(&broker, &topic, &settings, 2).await;
    assert_eq!((second.started[&0], second.started[&1]), (40, 70));
    second.until("the rest", |m| m.records.len() == 90).await;
    second.commit_read().await;
    let committed = within("committed", broker.committed(&group, &topic)).await.expect("committed");
    assert_eq!(committed, [Some(100), Some(100)], "release without revocation commits");
    second.close().await;
    let other = within("committed", broker.committed(&fresh("other"), &topic)).await.expect("committed");
    assert_eq!(other, [None, None], "groups do not share commits");
}

/// The offsets of an idle group can be moved, those of one with a member cannot.
pub async fn check_reset(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "reset", 2).await;
    append(&broker, &topic, numbered(0, 0, 50)).await;
    let group = fresh("group");
    let settings = GroupSettings::new(&group);
    let member = Member::joined(&broker, &topic, &settings, 2).await;
    let error = refused("a reset", within("reset", broker.reset(&group, &topic, &[(0, 7)])).await);
    assert!(matches!(error, BrokerError::GroupActive { group: ref named } if *named == group), "{error:?}");
    member.close().await;

    let deadline = Instant::now() + DEADLINE;
    while let Err(error) = within("reset", broker.reset(&group, &topic, &[(0, 7)])).await {
        assert!(matches!(error, BrokerError::GroupActive { .. }), "{error:?}");
        assert!(Instant::now() < deadline, "a group whose only member has left is idle");
        tokio::time::sleep(STEP).await;
    }
    let committed = within("committed", broker.committed(&group, &topic)).await.expect("committed");
    assert_eq!(committed[0], Some(7));
    let mut member = Member::joined(&broker, &topic, &settings, 2).await;
    assert_eq!(member.started[&0], 7);
    member.until("the rest", |m| m.records.len() == 43).await;
    member.close().await;
}

/// A committed offset that has expired is an error with the bounds, never a silent reset. The other partitions go on once
/// that one is paused, and it goes on where somebody decides.
pub async fn check_group_out_of_range(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "gap", 2).await;
    append(&broker, &topic, numbered(0, 0, 100)).await;
    append(&broker, &topic, numbered(1, 100, 5)).await;
    let group = fresh("group");
    within("reset", broker.reset(&group, &topic, &[(0, 10)])).await.expect("an idle group is moved");
    subject.expire_before(&topic, 0, 60).await;
    let mut member = Member::join(&broker, &topic, &GroupSettings::new(&group));
    let error = member.fails().await;
    assert!(
        matches!(error, BrokerError::OutOfRange { partition: 0, offset: 10, earliest: 60, latest: 100, .. }),
        "{error:?}"
    );
    member.fails().await;
    assert!(member.of(0).is_empty(), "nothing came from behind the gap");
    member.pause(0, 10);
    member.until("the other partition", |m| m.of(1).len() == 5).await;
    let committed = within("committed", broker.committed(&group, &topic)).await.expect("committed");
    assert_eq!(committed, [Some(10), None], "the commit stays for whoever decides");
    member.pause(0, 60);
    member.resume(0);
    member.until("what is left", |m| m.next[&0] == 100).await;
    assert_eq!(member.of(0), (60..100).collect::<Vec<u64>>());
    member.close().await;
}
