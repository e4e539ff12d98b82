//! Retention, compaction, sweeping, search by time.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::{EmbeddedBroker, EmbeddedSettings, upkeep};
use super::{append, open, read_all, record, text};
use crate::broker::{Append, Bounds, Broker, BrokerError, Cleanup, GroupSettings, TopicSpec};

const NOW: i64 = 1_700_000_000_000;

async fn topic(broker: &EmbeddedBroker, cleanup: Cleanup) {
    broker.create_topic(&TopicSpec { cleanup, ..TopicSpec::new("t", 1) }).await.unwrap();
}

fn at(time: i64, value: &str) -> Append {
    Append { timestamp_ms: Some(time), ..record(value) }
}

async fn bounds(broker: &EmbeddedBroker) -> Bounds {
    broker.bounds("t").await.unwrap()[0]
}

#[tokio::test]
async fn records_go_when_all_of_their_block_are_past_the_age() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path(), false);
    topic(&broker, Cleanup::Delete { retention: Some(Duration::from_secs(10)), max_bytes: None }).await;
    append(&broker, "t", vec![at(NOW - 60_000, "0"), at(NOW - 10_001, "1")]).await;
    append(&broker, "t", vec![at(NOW - 60_000, "2"), at(NOW - 10_000, "3")]).await;
    append(&broker, "t", vec![at(NOW - 60_000, "4")]).await;
    upkeep::run(&broker.core.shared, NOW).unwrap();
    assert_eq!(bounds(&broker).await, Bounds { partition: 0, earliest: 2, latest: 5 });
    upkeep::run(&broker.core.shared, NOW + 1).unwrap();
    assert_eq!(bounds(&broker).await, Bounds { partition: 0, earliest: 5, latest: 5 });
    assert!(broker.core.shared.store.records.is_empty().unwrap(), "their room is free");
    drop(broker);
    let broker = open(dir.path(), false);
    assert_eq!(bounds(&broker).await, Bounds { partition: 0, earliest: 5, latest: 5 }, "an empty log remembers");
    assert_eq!(append(&broker, "t", vec![at(NOW, "5")]).await[0].offset, 5);
}

#[tokio::test]
async fn the_oldest_go_while_the_partition_holds_its_size_without_them() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path(), false);
    topic(&broker, Cleanup::Delete { retention: None, max_bytes: Some(10_000) }).await;
    for _ in 0..100 {
        append(&broker, "t", vec![record("x".repeat(1000))]).await;
    }
    upkeep::run(&broker.core.shared, NOW).unwrap();
    let held = read_all(&broker, "t").await.len();
    assert_eq!(held, 10, "ten blocks of a little more than 1000 bytes");
    drop(broker);
    let broker = open(dir.path(), false);
    append(&broker, "t", vec![record("x".repeat(3000))]).await;
    upkeep::run(&broker.core.shared, NOW).unwrap();
    assert_eq!(bounds(&broker).await, Bounds { partition: 0, earliest: 93, latest: 101 });
}

#[tokio::test]
async fn deleting_below_an_offset_inside_a_block_hides_the_rest_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path(), false);
    topic(&broker, Cleanup::Delete { retention: None, max_bytes: None }).await;
    append(&broker, "t", (0..10).map(|n| record(n.to_string())).collect()).await;
    let mut cursor = broker.cursor("t", &[(0, 0)]).unwrap();
    cursor.fetch(3, Duration::ZERO).await.unwrap();
    broker.delete_before("t", 0, 4).await.unwrap();
    broker.delete_before("t", 0, 2).await.unwrap();
    let error = cursor.fetch(3, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, BrokerError::OutOfRange { offset: 3, earliest: 4, latest: 10, .. }), "{error:?}");
    let texts: Vec<String> = read_all(&broker, "t").await.iter().map(|r| text(r).to_owned()).collect();
    assert_eq!(texts, ["4", "5", "6", "7", "8", "9"]);
    let error = broker.delete_before("t", 0, 11).await.unwrap_err();
    assert!(matches!(error, BrokerError::OutOfRange { .. }), "{error:?}");
}

#[tokio::test]
async fn a_deleted_topic_leaves_nothing_and_its_name_starts_afresh() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path(), true);
    let spec = TopicSpec::new("t", 2);
    broker.create_topic(&spec).await.unwrap();
    append(&broker, "t", vec![record("old"); 1000]).await;
    broker.reset("g", "t", &[(0, 7)]).await.unwrap();
    let mut cursor = broker.cursor("t", &[(0, 0)]).unwrap();
    let mut consumer = broker.subscribe("t", &GroupSettings::new("g")).unwrap();
    broker.delete_topic("t").await.unwrap();
    let gone = |error: BrokerError| assert!(matches!(error, BrokerError::UnknownTopic { .. }), "{error:?}");
    gone(cursor.fetch(1, Duration::from_secs(60)).await.unwrap_err());
    gone(consumer.poll(1).await.unwrap_err());
    broker.create_topic(&spec).await.unwrap();
    append(&broker, "t", vec![record("new")]).await;
    assert_eq!(broker.committed("g", "t").await.unwrap(), [None, None], "commits went with it");
    drop((cursor, consumer, broker));

    let broker = open(dir.path(), true);
    broker.run_upkeep().await.unwrap();
    assert_eq!(broker.core.shared.store.records.len().unwrap(), 1, "only the new block is left");
    assert_eq!(read_all(&broker, "t").await.iter().map(text).collect::<Vec<_>>(), ["new"]);
}

#[tokio::test]
async fn a_tombstone_stays_until_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        EmbeddedSettings { tombstone_retention: Duration::from_secs(10), ..EmbeddedSettings::for_tests() };
    let broker = EmbeddedBroker::open(dir.path(), settings).unwrap();
    topic(&broker, Cleanup::Compact).await;
    let keyed = |value: Option<&str>| Append {
        key: Some("k".into()),
        value: value.map(|v| v.to_owned().into()),
        timestamp_ms: Some(NOW),
        ..Append::default()
    };
    append(&broker, "t", vec![keyed(Some("v")), keyed(None)]).await;
    let compact = |now| {
        let shared = &broker.core.shared;
        upkeep::compact(shared, &shared.topic("t").unwrap(), now).unwrap()
    };
    assert_eq!(compact(NOW + 9_999), 1, "the value goes");
    assert_eq!(read_all(&broker, "t").await.iter().map(|r| r.origin.offset).collect::<Vec<_>>(), [1]);
    assert_eq!(compact(NOW + 10_000), 1, "the tombstone goes");
    assert!(read_all(&broker, "t").await.is_empty());
    assert_eq!(bounds(&broker).await, Bounds { partition: 0, earliest: 0, latest: 2 });
    drop(broker);
    let broker = open(dir.path(), false);
    assert_eq!(bounds(&broker).await, Bounds { partition: 0, earliest: 0, latest: 2 }, "the end is remembered");
    let mut cursor = broker.cursor("t", &[(0, 0)]).unwrap();
    assert_eq!(cursor.fetch(1, Duration::ZERO).await.unwrap(), None);
    assert_eq!(cursor.position(0), Some(2), "a reader steps over holes up to the end");
}

/// The steps of a random history.
#[derive(Debug, Clone)]
enum Step {
    /// Keys and values, appended in one call.
    Append(Vec<(u8, Option<u8>)>),
    Compact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let records = proptest::collection::vec((0_u8..6, proptest::option::weighted(0.8, any::<u8>())), 1..12);
    prop_oneof![6 => records.prop_map(Step::Append), 2 => Just(Step::Compact), 1 => Just(Step::Reopen)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn compaction_agrees_with_a_map(steps in proptest::collection::vec(step(), 1..20), keys in 1_usize..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compacted_history(steps, keys));
    }

    #[test]
    fn search_by_time_agrees_with_a_walk(
        batches in proptest::collection::vec(proptest::collection::vec(0_i64..50, 1..6), 1..12),
        cut in 0_usize..30,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(timed_history(batches, cut));
    }
}

async fn compacted_history(steps: Vec<Step>, compaction_keys: usize) {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings { compaction_keys, ..EmbeddedSettings::for_tests() };
    let open = |dir: &TempDir| EmbeddedBroker::open(dir.path(), settings.clone()).unwrap();
    let mut broker = open(&dir);
    topic(&broker, Cleanup::Compact).await;
    // What a reader must see: newest by key, and all records that no compaction may have taken yet.
    let mut newest: BTreeMap<u8, (u64, Option<u8>)> = BTreeMap::new();
    let mut since_compaction = Vec::new();
    let mut next = 0;
    for step in steps {
        match step {
            Step::Append(records) => {
                for (key, value) in &records {
                    newest.insert(*key, (next, *value));
                    since_compaction.push((next, *key, *value));
                    next += 1;
                }
                let keyed = |(key, value): (u8, Option<u8>)| Append {
                    key: Some(vec![key].into()),
                    value: value.map(|v| vec![v].into()),
                    timestamp_ms: Some(0),
                    ..Append::default()
                };
                append(&broker, "t", records.into_iter().map(keyed).collect()).await;
            }
            Step::Compact => {
                broker.compact("t").await.unwrap();
                let live = newest.iter().filter_map(|(k, (o, v))| v.map(|v| (*o, *k, Some(v))));
                since_compaction = live.collect();
                since_compaction.sort_unstable();
            }
            Step::Reopen => {
                drop(broker);
                broker = open(&dir);
            }
        }
        let read: Vec<(u64, u8, Option<u8>)> = read_all(&broker, "t")
            .await
            .iter()
            .map(|r| (r.origin.offset, r.key.as_ref().unwrap()[0], r.value.as_ref().map(|v| v[0])))
            .collect();
        assert_eq!(read, since_compaction);
        assert_eq!(bounds(&broker).await, Bounds { partition: 0, earliest: 0, latest: next });
    }
}

async fn timed_history(batches: Vec<Vec<i64>>, cut: usize) {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path(), false);
    topic(&broker, Cleanup::Delete { retention: None, max_bytes: None }).await;
    let times: Vec<i64> = batches.iter().flatten().copied().collect();
    for batch in &batches {
        append(&broker, "t", batch.iter().map(|time| at(*time, "x")).collect()).await;
    }
    let cut = cut.min(times.len());
    broker.delete_before("t", 0, cut as u64).await.unwrap();
    for target in -1..=51 {
        let walked = (cut..times.len()).find(|n| times[*n] >= target).unwrap_or(times.len());
        assert_eq!(broker.offsets_at("t", target).await.unwrap(), [walked as u64], "{target} in {times:?}");
    }
}
