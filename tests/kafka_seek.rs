//! Spouts that go on elsewhere, over a real Kafka with two workers, and after retention took what they were to read.

#![allow(clippy::unwrap_used, reason = "a test panics")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use squall::broker::kafka::{KafkaBroker, KafkaSettings};
use squall::broker::{Append, Broker, GroupSettings, LogRecord, LogSpout, LogSpoutSettings, TopicSpec};
use squall::control::{Control, ControlSettings, Operator, SeekTo, SpoutSource, ensure};
use squall::guard::Clock;
use squall::runtime::{Options, Running, start};
use squall::testing::servers::Kafka;
use squall::{Rejected, Result, Settings, Sink, Topology, Tuning};
use tokio::time::{sleep, timeout};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);
const PARTITIONS: u32 = 4;
const RECORDS: u64 = 8_000;

/// Offsets that were stored, by partition.
type Stored = Arc<Mutex<BTreeMap<u32, Vec<u64>>>>;

/// Takes 5 ms for each write.
#[derive(Clone)]
struct Store(Stored);

impl Sink for Store {
    type In = LogRecord;

    async fn write(&mut self, rows: &[&LogRecord]) -> Result<Rejected> {
        sleep(Duration::from_millis(5)).await;
        let mut stored = self.0.lock().unwrap();
        rows.iter().for_each(|row| stored.entry(row.origin.partition).or_default().push(row.origin.offset));
        Ok(Rejected::none())
    }
}

struct Worker {
    control: Control,
    run: Running,
}

impl Worker {
    /// Stores at most 10 records each 5 ms.
    async fn start(url: &str, dir: &Path, name: &str, stored: &Stored) -> Self {
        let (broker, data_dir) = (connect(url).await, dir.join(name));
        std::fs::create_dir_all(&data_dir).unwrap();
        let settings = ControlSettings { worker: name.to_owned(), ..ControlSettings::new(data_dir, "worker") };
        let control = Control::start(broker.clone(), "words", settings).await;
        let source = LogSpoutSettings::new("source", GroupSettings::new("g"));
        let spout = LogSpout::new(broker, source).steered(control.seeks("lines", "source", "g"));
        let t = Topology::new("words");
        t.spout("lines", spout).sink("store", Store(stored.clone()));
        let settings =
            Settings { defaults: Tuning::default().batch(10).max_pending(1).rows(10), ..Settings::default() };
        Self { control, run: start(t, &settings, Options::default()).unwrap() }
    }

    async fn stop(self) {
        self.run.stopper().stop();
        let report = self.run.wait().await;
        self.control.close().await;
        assert_eq!(report.exit_code(), 0, "{report:?}");
    }
}

async fn connect(url: &str) -> Arc<dyn Broker> {
    Arc::new(KafkaBroker::connect(KafkaSettings::new(url)).await.unwrap())
}

fn source() -> SpoutSource {
    SpoutSource { spout: "lines".into(), topic: "source".into(), group: "g".into() }
}

async fn append(broker: &Arc<dyn Broker>, records: u64) {
    let record = |partition| Append { partition: Some(partition), value: Some("x".into()), ..Append::default() };
    let records = (0..records).flat_map(|_| (0..PARTITIONS).map(record)).collect();
    broker.producer().unwrap().append("source", records).await.unwrap();
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Whether the last record of each partition is stored that has this offset.
fn ends_at(stored: &Stored, last: u64) -> bool {
    let stored = stored.lock().unwrap();
    (0..PARTITIONS).all(|partition| stored.get(&partition).is_some_and(|offsets| offsets.last() == Some(&last)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_of_two_workers_go_where_they_are_told_and_on_behind_a_gap() {
    let kafka = Kafka::start().await.unwrap();
    let (url, dir, stored) = (kafka.url().to_owned(), tempfile::tempdir().unwrap(), Stored::default());
    let broker = connect(&url).await;
    ensure(&*broker, "words", 1).await.unwrap();
    broker.create_topic(&TopicSpec::new("source", PARTITIONS)).await.unwrap();
    append(&broker, RECORDS).await;
    let operator = Operator::new(broker.clone(), "words", Clock::wall());
    let one = Worker::start(&url, dir.path(), "one", &stored).await;
    let two = Worker::start(&url, dir.path(), "two", &stored).await;
    until("all partitions flow", || stored.lock().unwrap().len() == PARTITIONS as usize).await;

    // Ahead.
    let plan = operator.plan_seek(&source(), &SeekTo::Latest).await.unwrap();
    let moves = plan.moves.len();
    assert!(plan.totals().0 > 0, "nothing is left to skip");
    let seeking = operator.seek(plan, "ann@desk", "").await.unwrap();
    let answers = operator.await_sought(&seeking, DEADLINE).await;
    eprintln!("{} partitions moved in {:?}", answers.moved.len(), answers.took());
    assert!(answers.missing.is_empty() && answers.moved.len() == moves, "{answers:?}");
    append(&broker, 10).await;
    until("what came afterwards", || ends_at(&stored, RECORDS + 9)).await;
    let before: usize = stored.lock().unwrap().values().map(Vec::len).sum();
    assert!(before < (RECORDS * u64::from(PARTITIONS)) as usize, "the rest was skipped");

    // Back.
    let target = RECORDS - 100;
    let to = (0..PARTITIONS).map(|partition| (partition, target)).collect();
    let plan = operator.plan_seek(&source(), &SeekTo::Offsets(to)).await.unwrap();
    let seeking = operator.seek(plan, "ann@desk", "").await.unwrap();
    assert!(operator.await_sought(&seeking, DEADLINE).await.missing.is_empty());
    until("it comes to the end again", || {
        ends_at(&stored, RECORDS + 9) && stored.lock().unwrap().values().all(|offsets| offsets.contains(&target))
    })
    .await;
    one.stop().await;
    two.stop().await;
    assert_eq!(broker.committed("g", "source").await.unwrap(), [Some(RECORDS + 10); PARTITIONS as usize]);

    // Retention takes what was to be read next of one partition.
    append(&broker, 50).await;
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &url).create().unwrap();
    let mut list = TopicPartitionList::new();
    let gone = RECORDS + 40;
    list.add_partition_offset("source", 2, Offset::Offset(gone as i64)).unwrap();
    admin.delete_records(&list, &AdminOptions::new()).await.unwrap();
    stored.lock().unwrap().clear();
    let three = Worker::start(&url, dir.path(), "three", &stored).await;
    until("the others go on", || {
        let stored = stored.lock().unwrap();
        (0..PARTITIONS).all(|p| p == 2 || stored.get(&p).is_some_and(|offsets| offsets.len() == 50))
    })
    .await;
    let lag = operator.lag(&source(), Duration::ZERO).await.unwrap();
    assert_eq!(lag[2].gap.map(|gap| (gap.from, gap.to)), Some((RECORDS + 10, gone)), "{lag:?}");
    let plan = operator.plan_seek(&source(), &SeekTo::Offsets([(2, gone)].into())).await.unwrap();
    let seeking = operator.seek(plan, "ann@desk", "they are gone").await.unwrap();
    assert!(operator.await_sought(&seeking, DEADLINE).await.missing.is_empty());
    until("what is left", || stored.lock().unwrap().get(&2).is_some_and(|offsets| offsets.len() == 20)).await;
    three.stop().await;
    let lost = operator.audit(10).await.unwrap().into_iter().find(|record| record.action == "lost").unwrap();
    assert_eq!((lost.target.as_str(), &lost.details["to"]), ("source[2]", &gone.into()));
}
