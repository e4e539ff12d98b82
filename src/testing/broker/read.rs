//! Reading outside groups.

use std::time::Duration;

use tokio::time::Instant;

use super::Subject;
use super::support::{DEADLINE, STEP, append, bounds, create, number, numbered, read_range, refused, within};
use crate::broker::{BrokerError, Cursor};

/// A cursor starts where it is told and goes where it is sent, back and ahead, partition by partition.
pub async fn check_seek_by_offset(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "seek", 2).await;
    for partition in 0..2 {
        append(&broker, &topic, numbered(partition, 0, 300)).await;
    }
    assert_eq!(read_range(&broker, &topic, 0, 250, 300).await.first().map(number), Some(250));

    let mut cursor = broker.cursor(&topic, &[(0, 10), (1, 20)]).expect("a cursor");
    assert_eq!((cursor.position(0), cursor.position(1), cursor.position(2)), (Some(10), Some(20), None));
    let mut first = [None, None];
    let deadline = Instant::now() + DEADLINE;
    while first.contains(&None) {
        assert!(Instant::now() < deadline, "both partitions are read: {first:?}");
        if let Some(fetched) = cursor.fetch(5, STEP).await.expect("fetch") {
            assert!(fetched.records.len() <= 5);
            first[fetched.partition as usize].get_or_insert_with(|| number(&fetched.records[0]));
        }
    }
    assert_eq!(first, [Some(10), Some(20)]);

    cursor.seek(1, 300).expect("seek");
    for (target, expected) in [(290, 290..300), (0, 0..10), (150, 150..160)] {
        cursor.seek(0, target).expect("seek");
        assert_eq!(cursor.position(0), Some(target));
        assert_eq!(take(&mut *cursor, 0, 10).await, expected.collect::<Vec<u64>>());
    }
    refused("a seek in a partition that the cursor lacks", cursor.seek(7, 0));

    let mut slow = broker.slow_cursor(&topic, &[(0, 10), (1, 20)], 1).expect("a cursor");
    for partition in [1, 0] {
        slow.seek(partition, 100).expect("seek");
        assert_eq!(take(&mut *slow, partition, 150).await, (100..250).collect::<Vec<u64>>());
    }
}

/// Offsets by time: the first record at or after it, also where timestamps run backwards, `latest` past the end.
pub async fn check_seek_by_time(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "time", 2).await;
    let base = 1_700_000_000_000;
    let times: Vec<i64> = vec![100, 200, 150, 300, 300, 120, 500, 400];
    let mut records = numbered(0, 0, times.len() as u64);
    for (record, time) in records.iter_mut().zip(&times) {
        record.timestamp_ms = Some(base + time);
    }
    for record in records {
        append(&broker, &topic, vec![record]).await;
    }
    for target in [0, 100, 101, 150, 200, 201, 300, 301, 450, 500, 501] {
        let expected = times.iter().position(|t| *t >= target).unwrap_or(times.len());
        let found = within("offsets_at", broker.offsets_at(&topic, base + target)).await.expect("offsets_at");
        assert_eq!(found, [expected as u64, 0], "first record at or after {target} of {times:?}");
    }
}

/// A cursor at the end gives nothing within its wait, and a record as soon as there is one.
pub async fn check_cursor_waits(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "wait", 1).await;
    let mut cursor = broker.cursor(&topic, &[(0, 0)]).expect("a cursor");
    let none = within("fetch", cursor.fetch(10, Duration::from_millis(50))).await.expect("fetch");
    assert_eq!(none, None);
    let waiting = tokio::spawn(async move {
        let fetched = within("fetch", cursor.fetch(10, DEADLINE)).await.expect("fetch").expect("a record");
        number(&fetched.records[0])
    });
    append(&broker, &topic, numbered(0, 42, 1)).await;
    assert_eq!(within("the waiting cursor", waiting).await.expect("no panic"), 42);
}

/// A cursor whose position has expired says so, with the bounds, stays where it is, and goes on after a seek.
pub async fn check_cursor_out_of_range(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let topic = create(&broker, "expired", 2).await;
    for partition in 0..2 {
        append(&broker, &topic, numbered(partition, 0, 100)).await;
    }
    let mut cursor = broker.cursor(&topic, &[(0, 0)]).expect("a cursor");
    subject.expire_before(&topic, 0, 60).await;
    let held = bounds(&broker, &topic, 0).await;
    assert_eq!((held.earliest, held.latest), (60, 100));
    assert_eq!(bounds(&broker, &topic, 1).await.earliest, 0, "the other partition keeps its records");

    cursor.seek(0, 10).expect("seek");
    for _ in 0..2 {
        let error = refused("an expired position", within("fetch", cursor.fetch(10, DEADLINE)).await);
        assert!(
            matches!(
                error,
                BrokerError::OutOfRange { ref topic, partition: 0, offset: 10, earliest: 60, latest: 100 }
                    if topic.starts_with("conformance-expired")
            ),
            "{error:?}"
        );
        assert_eq!(cursor.position(0), Some(10), "the cursor stays where it is");
    }
    cursor.seek(0, 60).expect("seek");
    assert_eq!(take(&mut *cursor, 0, 3).await, [60, 61, 62]);
    let found = within("offsets_at", broker.offsets_at(&topic, 0)).await.expect("offsets_at");
    assert_eq!(found, [60, 0], "only records that are held are found by time");
}

/// The numbers of the next `count` records of `partition`.
async fn take(cursor: &mut dyn Cursor, partition: u32, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    let deadline = Instant::now() + DEADLINE;
    while numbers.len() < count {
        assert!(Instant::now() < deadline, "only {numbers:?} came");
        let Some(fetched) = cursor.fetch(count - numbers.len(), STEP).await.expect("fetch") else { continue };
        if fetched.partition == partition {
            numbers.extend(fetched.records.iter().map(number));
        }
    }
    numbers
}
