//! Groups on paused time: drains, silence, late commits.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::EmbeddedBroker;
use super::{append, open, record};
use crate::broker::{
    Broker, BrokerError, Commit, Consumer, ConsumerEvent, Granted, GroupSettings, Note, TopicSpec,
};

const DRAIN: Duration = Duration::from_secs(5);

async fn fixture(partitions: u32) -> (tempfile::TempDir, EmbeddedBroker) {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path(), false);
    broker.create_topic(&TopicSpec::new("t", partitions)).await.unwrap();
    (dir, broker)
}

fn join(broker: &EmbeddedBroker) -> Box<dyn Consumer> {
    broker.subscribe("t", &GroupSettings { drain_timeout: DRAIN, ..GroupSettings::new("g") }).unwrap()
}

/// The partitions and epochs of an assignment.
fn assigned(event: ConsumerEvent) -> Vec<(u32, u32)> {
    match event {
        ConsumerEvent::Assigned(grants) => {
            grants.into_iter().map(|granted| (granted.partition, granted.epoch)).collect()
        }
        other => panic!("not an assignment: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_release_loses_the_partition_after_the_drain_timeout() {
    let (_dir, broker) = fixture(2).await;
    let mut a = join(&broker);
    assert_eq!(assigned(a.poll(1).await.unwrap()), [(0, 1), (1, 1)]);
    a.commit(&[Commit::clean(0, 3), Commit::clean(1, 3)]).unwrap();

    let before = Instant::now();
    let mut b = join(&broker);
    assert_eq!(assigned(b.poll(1).await.unwrap()), [(1, 2)], "a higher epoch");
    assert_eq!(before.elapsed(), DRAIN, "not before the drain timeout, and without anyone else polling");

    // It has not heard of it yet: a commit that is waited for must not pass for one.
    let late = a.commit_now(&[Commit::clean(0, 4), Commit::clean(1, 4)]).await.unwrap_err();
    assert!(matches!(late, BrokerError::Interrupted { .. }), "{late:?}");
    assert_eq!(broker.committed("g", "t").await.unwrap(), [Some(4), Some(3)], "what is its own is committed");
    assert_eq!(a.poll(1).await.unwrap(), ConsumerEvent::Revoking(vec![1]));
    assert_eq!(a.poll(1).await.unwrap(), ConsumerEvent::Lost(vec![1]));
    assert!(a.commit_now(&[Commit::clean(1, 4)]).await.is_err(), "nor after it has");
    a.commit_now(&[Commit::clean(0, 5)]).await.unwrap();
    a.release(&[Commit::clean(0, 5), Commit::clean(1, 5)]).await.unwrap();
    assert_eq!(broker.committed("g", "t").await.unwrap(), [Some(5), Some(3)], "a late commit is left out");
}

#[tokio::test(start_paused = true)]
async fn a_release_hands_over_at_once_with_its_commit() {
    let (_dir, broker) = fixture(2).await;
    let mut a = join(&broker);
    a.poll(1).await.unwrap();
    let mut b = join(&broker);
    let before = Instant::now();
    a.release(&[Commit::clean(0, 1)]).await.unwrap();
    assert!(
        timeout(Duration::from_secs(1), b.poll(1)).await.is_err(),
        "a revocation not seen yet is not released"
    );
    assert_eq!(a.poll(1).await.unwrap(), ConsumerEvent::Revoking(vec![1]));
    a.release(&[Commit::clean(1, 9)]).await.unwrap();
    assert_eq!(
        b.poll(1).await.unwrap(),
        ConsumerEvent::Assigned(vec![Granted { partition: 1, epoch: 2, next: 9, note: Note::Clean, seek: 0 }])
    );
    assert!(before.elapsed() < DRAIN);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_partition_gives_no_more_records_while_others_do() {
    let (_dir, broker) = fixture(2).await;
    let mut a = join(&broker);
    a.poll(1).await.unwrap();
    let _b = join(&broker);
    assert_eq!(a.poll(1).await.unwrap(), ConsumerEvent::Revoking(vec![1]));
    for partition in [1, 0] {
        let batch = crate::broker::Append { partition: Some(partition), ..record("x") };
        append(&broker, "t", vec![batch]).await;
    }
    match a.poll(10).await.unwrap() {
        ConsumerEvent::Records(fetched) => assert_eq!((fetched.partition, fetched.epoch), (0, 1)),
        other => panic!("not records: {other:?}"),
    }
    assert!(timeout(Duration::from_secs(1), a.poll(10)).await.is_err(), "nothing of partition 1");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_member_leaves_at_once_without_commit() {
    let (_dir, broker) = fixture(1).await;
    let mut a = join(&broker);
    a.poll(1).await.unwrap();
    let mut b = join(&broker);
    assert!(timeout(Duration::from_secs(60), b.poll(1)).await.is_err(), "one partition has one owner");
    drop(a);
    assert_eq!(
        b.poll(1).await.unwrap(),
        ConsumerEvent::Assigned(vec![Granted { partition: 0, epoch: 2, next: 0, note: Note::Clean, seek: 0 }])
    );
    assert_eq!(broker.committed("g", "t").await.unwrap(), [None]);
    b.close(&[Commit::clean(0, 4)]).await.unwrap();
    assert_eq!(broker.committed("g", "t").await.unwrap(), [Some(4)]);
    assert!(b.poll(1).await.is_err(), "a closed consumer says so");
    broker.reset("g", "t", &[(0, 0)]).await.expect("the group is idle");
}

/// Paused time advances only while every task is idle: a busy loop would hang here.
#[tokio::test(start_paused = true)]
async fn waiting_is_idle() {
    let (_dir, broker) = fixture(3).await;
    let mut consumer = join(&broker);
    consumer.poll(1).await.unwrap();
    let mut cursor = broker.cursor("t", &[(0, 0), (1, 0)]).unwrap();
    let before = Instant::now();
    let day = Duration::from_secs(86_400);
    assert!(timeout(day, consumer.poll(1)).await.is_err());
    assert_eq!(cursor.fetch(1, day).await.unwrap(), None);
    assert_eq!(before.elapsed(), day * 2);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_poll_loses_nothing() {
    let (_dir, broker) = fixture(1).await;
    let mut consumer = join(&broker);
    consumer.poll(1).await.unwrap();
    let mut seen = Vec::new();
    for n in 0..20_u64 {
        assert!(timeout(Duration::from_millis(n), consumer.poll(1)).await.is_err());
        append(&broker, "t", vec![record(n.to_string())]).await;
        match consumer.poll(1).await.unwrap() {
            ConsumerEvent::Records(fetched) => seen.extend(fetched.records.iter().map(|r| r.origin.offset)),
            other => panic!("not records: {other:?}"),
        }
    }
    assert_eq!(seen, (0..20).collect::<Vec<u64>>());
}
