//! How fast it is. Prints; asserts only that all records are there.
//!
//! `cargo test --release --lib embedded::tests::figures -- --nocapture`

use std::time::{Duration, Instant};

use super::super::{EmbeddedBroker, EmbeddedSettings};
use super::append;
use crate::broker::{Append, Broker, ConsumerEvent, GroupSettings, TopicSpec};

/// Bytes of a value; with its key a record has 235.
const VALUE: usize = 225;
const BATCH: u64 = 500;
const PARTITIONS: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn append_and_fetch() {
    let batches: u64 = if cfg!(debug_assertions) { 40 } else { 4000 };
    for writers in [1_u64, 4] {
        let dir = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(dir.path(), EmbeddedSettings::default()).unwrap();
        broker.create_topic(&TopicSpec::new("t", PARTITIONS)).await.unwrap();

        let began = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..writers {
            tasks.spawn(write(broker.clone(), writer, batches / writers));
        }
        tasks.join_all().await;
        let total = batches * BATCH;
        say(&format!("append, {writers} writers, batches of {BATCH}, durable"), total, began.elapsed());

        let began = Instant::now();
        let mut consumer = broker.subscribe("t", &GroupSettings::new("g")).unwrap();
        let mut read = 0;
        while read < total {
            if let ConsumerEvent::Records(fetched) = consumer.poll(512).await.unwrap() {
                read += fetched.records.len() as u64;
            }
        }
        assert_eq!(read, total);
        say("fetch, batches of 512", total, began.elapsed());
    }
}

async fn write(broker: EmbeddedBroker, writer: u64, batches: u64) {
    for batch in 0..batches {
        let record = |n: u64| Append {
            key: Some(format!("{:010}", batch * BATCH + n).into()),
            value: Some(vec![b'a' + (n % 26) as u8; VALUE].into()),
            timestamp_ms: Some(1_700_000_000_000),
            partition: Some(((writer + batch) % u64::from(PARTITIONS)) as u32),
            ..Append::default()
        };
        append(&broker, "t", (0..BATCH).map(record).collect()).await;
    }
}

fn say(what: &str, records: u64, took: Duration) {
    let rate = records as f64 / took.as_secs_f64();
    println!("{what}: {records} records in {took:.2?}, {:.0} k/s", rate / 1000.0);
}
