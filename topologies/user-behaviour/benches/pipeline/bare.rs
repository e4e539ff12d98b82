//! The same work by hand: a thread that consumes, decodes and deals out, and a task for each lane of each store.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use squall::store::{Rows, Timelines};
use squall::{KeyHasher, Tuning};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use user_behaviour::format::{BehaviourJson, Format};
use user_behaviour::record::Decoded;
use user_behaviour::schema::{cells, entry};
use user_behaviour::topology::now_ms;

use super::common::timed;
use super::data::Data;
use super::lab::{Lab, PARTITIONS, Reads, Run};

/// Batches that wait in front of a lane.
const WAITING: usize = 4;
/// Records between two looks at the clock.
const CLOCK: u64 = 512;
/// Longest wait for a record that is known to exist.
const PATIENCE: Duration = Duration::from_secs(30);

type Batch = Vec<Arc<Decoded>>;

pub(crate) fn run(lab: &mut Lab, data: &Data) -> Duration {
    lab.measure("bare", data, Reads::AsGroup, |run| timed(|| run.runtime.block_on(by_hand(run, data))))
}

async fn by_hand(run: &Run, data: &Data) {
    let consumer = consumer(run, data);
    let (timelines, rows) = (&run.parts.timelines, &run.parts.rows);
    let (to_timelines, writing) = lanes(run, "timelines", |inbox| write_timelines(timelines.clone(), inbox));
    let (to_rows, and_writing) = lanes(run, "rows", |inbox| write_rows(rows.clone(), inbox));
    let records = data.records;
    let consuming = std::thread::spawn(move || {
        consume(&consumer, records, [to_timelines, to_rows]);
        consumer
    });
    for lane in writing.into_iter().chain(and_writing) {
        lane.await.expect("no lane panics");
    }
    let consumer = consuming.join().expect("the consumer does not panic");
    let topic = data.topic.clone();
    tokio::task::spawn_blocking(move || commit(&consumer, &topic)).await.expect("a commit");
}

fn consumer(run: &Run, data: &Data) -> BaseConsumer {
    let config = &run.config;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", config.broker.kafka.bootstrap.as_deref().expect("the lab says"))
        .set("group.id", &config.source.group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("queued.min.messages", "65536")
        .set("fetch.queue.backoff.ms", "2")
        .create()
        .expect("valid properties");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS.cast_signed() {
        let added = partitions.add_partition_offset(&data.topic, partition, Offset::Beginning);
        added.expect("a valid offset");
    }
    consumer.assign(&partitions).expect("an assignment");
    consumer
}

/// The lanes of one store, each with its batch under way.
struct Lanes {
    lanes: Vec<(Sender<Batch>, Batch)>,
    rows: usize,
}

/// As many lanes as the topology has tasks for the sink, and batches of as many rows.
fn lanes<F>(run: &Run, sink: &str, write: impl Fn(Receiver<Batch>) -> F) -> (Lanes, Vec<JoinHandle<()>>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let bounds = run.config.topology.bounds(sink, &Tuning::default());
    let (mut lanes, mut writing) = (Vec::new(), Vec::new());
    for _ in 0..bounds.parallelism {
        let (sender, inbox) = channel(WAITING);
        lanes.push((sender, Vec::with_capacity(bounds.rows)));
        writing.push(tokio::spawn(write(inbox)));
    }
    (Lanes { lanes, rows: bounds.rows }, writing)
}

impl Lanes {
    fn add(&mut self, hash: u64, record: Arc<Decoded>) {
        let at = ((hash >> 32) * self.lanes.len() as u64) >> 32;
        let (lane, batch) = &mut self.lanes[at as usize];
        batch.push(record);
        if batch.len() == self.rows {
            let full = std::mem::replace(batch, Vec::with_capacity(self.rows));
            lane.blocking_send(full).expect("the lane lives");
        }
    }

    fn finish(self) {
        for (lane, batch) in self.lanes {
            lane.blocking_send(batch).expect("the lane lives");
        }
    }
}

fn consume(consumer: &BaseConsumer, records: u64, [mut timelines, mut rows]: [Lanes; 2]) {
    let mut now = now_ms();
    for n in 0..records {
        if n % CLOCK == 0 {
            now = now_ms();
        }
        let message = consumer.poll(PATIENCE).expect("the topic holds more").expect("Kafka answers");
        let value = message.payload().expect("no tombstones");
        let record = BehaviourJson.decode(1, value).expect("no broken records");
        let record = Arc::new(Decoded::new(record, now).expect("no broken records"));
        let mut hasher = KeyHasher::default();
        record.record().user_id.as_str().hash(&mut hasher);
        let hash = hasher.finish();
        timelines.add(hash, record.clone());
        rows.add(hash, record);
    }
    timelines.finish();
    rows.finish();
}

async fn write_timelines(store: Arc<dyn Timelines>, mut inbox: Receiver<Batch>) {
    while let Some(batch) = inbox.recv().await {
        let entries: Vec<_> = batch.iter().map(|record| entry(record)).collect();
        let refused = store.apply(&entries).await.expect("Redis takes a batch");
        assert!(refused.is_empty());
    }
}

async fn write_rows(store: Arc<dyn Rows>, mut inbox: Receiver<Batch>) {
    while let Some(batch) = inbox.recv().await {
        let mut row = Vec::with_capacity(batch.len() * store.table().width());
        for record in &batch {
            cells(record, &mut row);
        }
        let refused = store.upsert(&row).await.expect("MariaDB takes a batch");
        assert!(refused.is_empty());
    }
}

/// Everything is stored: the group has read to where the consumer stands.
fn commit(consumer: &BaseConsumer, topic: &str) {
    let position = consumer.position().expect("a position of each partition");
    let mut offsets = TopicPartitionList::new();
    for element in position.elements_for_topic(topic) {
        offsets.add_partition_offset(topic, element.partition(), element.offset()).expect("a valid offset");
    }
    consumer.commit(&offsets, CommitMode::Sync).expect("the group takes the offsets");
}
