//! Steps that several checks take.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use crate::broker::{Append, Bounds, Broker, BrokerError, LogRecord, Position, TopicSpec};

/// How long a check waits for what must come.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);
/// One wait inside a loop that has [`DEADLINE`].
pub(super) const STEP: Duration = Duration::from_millis(200);

/// A name that nothing else has, in this run or another.
pub(super) fn fresh(what: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let random = RandomState::new().hash_one((std::process::id(), count));
    format!("conformance-{what}-{random:016x}")
}

/// Creates a fresh topic.
pub(super) async fn create(broker: &Arc<dyn Broker>, what: &str, partitions: u32) -> String {
    let name = fresh(what);
    create_as(broker, &TopicSpec::new(&name, partitions)).await;
    name
}

/// Creates a topic.
pub(super) async fn create_as(broker: &Arc<dyn Broker>, spec: &TopicSpec) {
    within("create_topic", broker.create_topic(spec)).await.expect("a fresh topic is created");
}

/// Appends, and checks that there is a position for each record.
pub(super) async fn append(broker: &Arc<dyn Broker>, topic: &str, records: Vec<Append>) -> Vec<Position> {
    let count = records.len();
    let producer = broker.producer().expect("there is a producer");
    let positions = within("append", producer.append(topic, records)).await.expect("records are appended");
    assert_eq!(positions.len(), count, "one position for each record, in order");
    positions
}

/// A record of `partition` that holds `value`.
pub(super) fn to(partition: u32, value: impl Into<Bytes>) -> Append {
    Append { partition: Some(partition), value: Some(value.into()), ..Append::default() }
}

/// `count` records of `partition`, whose values are their numbers from `first`.
pub(super) fn numbered(partition: u32, first: u64, count: u64) -> Vec<Append> {
    (first..first + count).map(|n| to(partition, n.to_string())).collect()
}

/// The number that [`numbered`] wrote.
pub(super) fn number(record: &LogRecord) -> u64 {
    let text = std::str::from_utf8(record.value.as_ref().expect("a value")).expect("a number");
    text.parse().expect("a number")
}

/// What a partition holds.
pub(super) async fn bounds(broker: &Arc<dyn Broker>, topic: &str, partition: u32) -> Bounds {
    let all = within("bounds", broker.bounds(topic)).await.expect("the topic has bounds");
    assert!(all.iter().enumerate().all(|(at, b)| b.partition == at as u32), "bounds are ordered: {all:?}");
    all[partition as usize]
}

/// All records of one partition.
pub(super) async fn read_partition(broker: &Arc<dyn Broker>, topic: &str, partition: u32) -> Vec<LogRecord> {
    let bounds = bounds(broker, topic, partition).await;
    read_range(broker, topic, partition, bounds.earliest, bounds.latest).await
}

/// All records of all partitions, by partition.
pub(super) async fn read_topic(broker: &Arc<dyn Broker>, topic: &str) -> BTreeMap<u32, Vec<LogRecord>> {
    let all = within("bounds", broker.bounds(topic)).await.expect("the topic has bounds");
    let mut records = BTreeMap::new();
    for b in all {
        records.insert(b.partition, read_range(broker, topic, b.partition, b.earliest, b.latest).await);
    }
    records
}

/// The records of `from..until`, with their order and origin checked.
pub(super) async fn read_range(
    broker: &Arc<dyn Broker>,
    topic: &str,
    partition: u32,
    from: u64,
    until: u64,
) -> Vec<LogRecord> {
    let mut cursor = broker.cursor(topic, &[(partition, from)]).expect("a cursor");
    let mut records: Vec<LogRecord> = Vec::new();
    let deadline = Instant::now() + DEADLINE;
    while cursor.position(partition).expect("the cursor has this partition") < until {
        assert!(Instant::now() < deadline, "only {} records of {from}..{until} came", records.len());
        let Some(fetched) = cursor.fetch(100, STEP).await.expect("fetch") else { continue };
        assert_eq!((fetched.partition, fetched.epoch), (partition, 0), "a cursor has no epochs");
        assert!(fetched.records.len() <= 100, "at most `max` records");
        assert_eq!(Some(fetched.next), cursor.position(partition), "`next` is the position");
        for record in fetched.records {
            assert_eq!((&*record.origin.topic, record.origin.partition), (topic, partition));
            let after = records.last().map_or(from, |last| last.origin.offset + 1);
            assert!(record.origin.offset >= after, "offsets grow");
            assert!(record.origin.offset < fetched.next, "`next` is past the records");
            if record.origin.offset < until {
                records.push(record);
            }
        }
    }
    records
}

/// Waits for `future`, at most [`DEADLINE`].
pub(super) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(DEADLINE, future).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not answer within {DEADLINE:?}"),
    }
}

/// The error that must have come.
pub(super) fn refused<T: Debug>(what: &str, result: Result<T, BrokerError>) -> BrokerError {
    match result {
        Ok(done) => panic!("{what} must be refused, and gave {done:?}"),
        Err(error) => error,
    }
}
