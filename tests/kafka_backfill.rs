//! Backfills over a real Kafka: holes that transactions leave, also at the end of a range, and a worker that dies.

#![allow(clippy::unwrap_used, reason = "a test panics")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use squall::broker::kafka::{KafkaBroker, KafkaSettings};
use squall::broker::{Append, Broker, LogRecord, TopicSpec};
use squall::control::backfill::{BackfillSettings, BackfillSpout, Backfills, Bound, Draft, Job, State, Status};
use squall::control::ensure;
use squall::guard::Clock;
use squall::runtime::{Ended, Options, Running, start};
use squall::testing::Capture;
use squall::testing::servers::Kafka;
use squall::{Settings, Topology, Tuning};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);
const TOPIC: &str = "source";

type Places = BTreeSet<(u32, u64)>;

async fn connect(url: &str) -> Arc<dyn Broker> {
    Arc::new(KafkaBroker::connect(KafkaSettings::new(url)).await.unwrap())
}

/// Appends records to a partition in a transaction of their own, which is committed or aborted.
async fn transaction(url: &str, partition: i32, records: usize, commit: bool) {
    let url = url.to_owned();
    let work = move || {
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", url).set("transactional.id", "holes").create().unwrap();
        producer.init_transactions(DEADLINE).unwrap();
        producer.begin_transaction().unwrap();
        for _ in 0..records {
            producer.send(BaseRecord::<str, str>::to(TOPIC).partition(partition).payload("x")).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
        match commit {
            true => producer.commit_transaction(DEADLINE).unwrap(),
            false => producer.abort_transaction(DEADLINE).unwrap(),
        }
    };
    spawn_blocking(work).await.unwrap();
}

async fn plain(broker: &Arc<dyn Broker>, partition: u32, records: usize) -> Places {
    let record = Append { partition: Some(partition), value: Some("x".into()), ..Append::default() };
    let positions = broker.producer().unwrap().append(TOPIC, vec![record; records]).await.unwrap();
    positions.into_iter().map(|position| (position.partition, position.offset)).collect()
}

fn work(broker: &Arc<dyn Broker>, worker: &str, job: &Job, stored: &Capture<(u32, u64)>) -> Running {
    let settings =
        BackfillSettings { only: Some(job.id.clone()), ..BackfillSettings::new("words", TOPIC, worker) };
    let t = Topology::new("words-backfill");
    t.spout("backfill", BackfillSpout::new(broker.clone(), settings))
        .map(|record: LogRecord| (record.origin.partition, record.origin.offset))
        .sink("store", stored.clone());
    let settings =
        Settings { defaults: Tuning::default().batch(10).max_pending(1).rows(10), ..Settings::default() };
    start(t, &settings, Options::default()).unwrap()
}

async fn until(backfills: &Backfills, job: &Job, is_so: impl Fn(&Status) -> bool) -> Status {
    let wait = async {
        loop {
            let status = backfills.show(&job.id).await.unwrap();
            if is_so(&status) {
                return status;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, wait).await.expect("the job gets there")
}

/// Three holes in partition 0: in the middle, and two that the range ends with; partition 1 is nothing but holes. Their
/// markers take offsets too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_ends_exactly_at_its_end_though_transactions_left_holes_there_and_its_worker_died() {
    let kafka = Kafka::start().await.unwrap();
    let broker = connect(kafka.url()).await;
    ensure(&*broker, "words", 1).await.unwrap();
    broker.create_topic(&TopicSpec::new(TOPIC, 2)).await.unwrap();
    let mut wanted = plain(&broker, 0, 200).await;
    transaction(kafka.url(), 0, 30, false).await;
    transaction(kafka.url(), 0, 40, true).await;
    wanted.extend(plain(&broker, 0, 100).await);
    transaction(kafka.url(), 0, 20, false).await;
    transaction(kafka.url(), 0, 25, false).await;
    transaction(kafka.url(), 1, 50, false).await;
    // The committed ones stand behind the aborted ones and the marker that ends those.
    wanted.extend((231..271).map(|offset| (0, offset)));
    let backfills = Backfills::new(broker.clone(), "words", Clock::wall());
    let draft = Draft::new(TOPIC, Bound::Earliest, Bound::Latest, "ann@desk");
    let job = backfills.create(&Draft { share: 1.0, chunk: 150, lease_ms: 2_000, ..draft }).await.unwrap();
    let total: u64 = broker.bounds(TOPIC).await.unwrap().iter().map(|held| held.latest).sum();
    assert_eq!(job.total(), total);

    // What comes after the range was frozen is none of its business.
    plain(&broker, 0, 10).await;
    let stored = Capture::default();
    let doomed = work(&broker, "doomed", &job, &stored);
    until(&backfills, &job, |status| !status.held.is_empty()).await;
    // Dropped as it stands: it says nothing more, and its lease runs out.
    drop(doomed);
    let heir = work(&broker, "heir", &job, &stored);
    let report = timeout(DEADLINE, heir.wait()).await.expect("it ends by itself");
    assert!(matches!(report.ended, Ended::Finished) && report.exit_code() == 0, "{report:?}");
    let status = backfills.show(&job.id).await.unwrap();
    assert_eq!((status.state, status.done, status.lost.len()), (State::Finished, total, 0));
    assert_eq!(stored.tuples().into_iter().collect::<Places>(), wanted);
}
