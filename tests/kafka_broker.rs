//! What is particular to the log on Kafka, against real servers: outages, rebalances, holes.

#![allow(clippy::unwrap_used, reason = "a test panics")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rustix::process::{Pid, Signal, kill_process};
use squall::broker::kafka::{KafkaBroker, KafkaSettings};
use squall::broker::{
    Append, Broker, BrokerError, Commit, Consumer, ConsumerEvent, Fetched, Granted, GroupSettings, TopicSpec,
};
use squall::testing::servers::Kafka;
use squall::{Class, Classify};
use tokio::sync::OnceCell;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(60);

/// One server for the tests that do it no harm; it dies with the process.
async fn shared() -> &'static Kafka {
    static SERVER: OnceCell<Kafka> = OnceCell::const_new();
    SERVER.get_or_init(|| async { Kafka::start().await.unwrap() }).await
}

async fn broker(url: &str) -> KafkaBroker {
    KafkaBroker::connect(KafkaSettings::new(url)).await.unwrap()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<Append> {
    let record = |n: u64| Append { partition: Some(0), value: Some(n.to_string().into()), ..Append::default() };
    range.map(record).collect()
}

fn read(fetched: &Fetched) -> Vec<u64> {
    let number = |value: &bytes::Bytes| std::str::from_utf8(value).unwrap().parse().unwrap();
    fetched.records.iter().map(|r| number(r.value.as_ref().unwrap())).collect()
}

/// Batches and a record that are larger than what it asks for at once.
#[tokio::test]
async fn a_slow_cursor_reads_what_is_larger_than_it_wants() {
    let broker = broker(shared().await.url()).await;
    broker.create_topic(&TopicSpec::new("slow", 1)).await.unwrap();
    let producer = broker.producer().unwrap();
    // What no compression makes smaller.
    let mut state = 1_u64;
    let mut noise = |bytes: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..bytes).map(|_| next()).collect()
    };
    let mut record = |bytes| Append { partition: Some(0), value: Some(noise(bytes).into()), ..Append::default() };
    producer.append("slow", (0..5_000).map(|_| record(500)).collect()).await.unwrap();
    producer.append("slow", vec![record(500_000)]).await.unwrap();
    producer.append("slow", numbers(5_001..5_003)).await.unwrap();
    let mut cursor = broker.slow_cursor("slow", &[(0, 10)], 3).unwrap();
    let (mut offsets, began) = (Vec::new(), Instant::now());
    while offsets.last() != Some(&5_002) && began.elapsed() < DEADLINE {
        if let Some(fetched) = cursor.fetch(100, Duration::from_secs(1)).await.unwrap() {
            offsets.extend(fetched.records.iter().map(|record| record.origin.offset));
        }
    }
    assert_eq!(offsets, (10..5_003).collect::<Vec<u64>>());
}

/// The next event, within the deadline of a test.
async fn next(consumer: &mut Box<dyn Consumer>) -> Result<ConsumerEvent, BrokerError> {
    timeout(DEADLINE, consumer.poll(1000)).await.expect("an event comes")
}

/// Polls until `count` records have come; returns them and where to commit.
async fn records(consumer: &mut Box<dyn Consumer>, count: usize) -> (Vec<u64>, u64) {
    let (mut all, mut end) = (Vec::new(), 0);
    while all.len() < count {
        if let ConsumerEvent::Records(fetched) = next(consumer).await.unwrap() {
            all.extend(read(&fetched));
            end = fetched.next;
        }
    }
    (all, end)
}

async fn assigned(consumer: &mut Box<dyn Consumer>) -> Vec<Granted> {
    loop {
        if let ConsumerEvent::Assigned(partitions) = next(consumer).await.unwrap() {
            return partitions;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn producer_and_consumer_go_on_after_the_server_was_killed() {
    let mut kafka = Kafka::start().await.unwrap();
    let broker = broker(kafka.url()).await;
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let producer = broker.producer().unwrap();
    producer.append("t", numbers(0..100)).await.unwrap();
    let mut consumer = broker.subscribe("t", &GroupSettings::new("g")).unwrap();
    let (before, end) = records(&mut consumer, 100).await;
    assert_eq!(before, (0..100).collect::<Vec<u64>>());
    consumer.release(&[Commit::clean(0, end)]).await.unwrap();

    kafka.kill().unwrap();
    let waiting = Arc::clone(&producer);
    let append = tokio::spawn(async move { waiting.append("t", numbers(100..200)).await });
    assert!(matches!(broker.topics().await, Err(e) if e.class() == Class::Retryable), "the server is away");
    kafka.restart().await.unwrap();

    append.await.unwrap().unwrap();
    let (after, end) = records(&mut consumer, 100).await;
    assert_eq!(after, (100..200).collect::<Vec<u64>>());
    let deadline = Instant::now() + DEADLINE;
    while let Err(error) = consumer.release(&[Commit::clean(0, end)]).await {
        assert_eq!(error.class(), Class::Retryable, "{error:?}");
        assert!(Instant::now() < deadline, "{error:?}");
    }
    assert_eq!(broker.committed("g", "t").await.unwrap(), [Some(200)]);
    consumer.close(&[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_finds_the_queue_full_gives_up_in_time() {
    let mut kafka = Kafka::start().await.unwrap();
    let settings = KafkaSettings {
        delivery_timeout: Duration::from_secs(4),
        request_timeout: Duration::from_millis(500),
        queue_records: 10,
        ..KafkaSettings::new(kafka.url())
    };
    let broker = KafkaBroker::connect(settings).await.unwrap();
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let producer = broker.producer().unwrap();
    let many = producer.append("t", numbers(0..500)).await.unwrap();
    assert_eq!(many.len(), 500, "more than the queue holds, while it drains");

    kafka.suspend().unwrap();
    let error = timeout(DEADLINE, producer.append("t", numbers(500..600))).await.expect("bounded").unwrap_err();
    assert!(matches!(error, BrokerError::Timeout { .. }), "{error:?}");
    assert_eq!(error.class(), Class::Retryable);
    kafka.resume().unwrap();
    let deadline = Instant::now() + DEADLINE;
    while producer.append("t", numbers(600..601)).await.is_err() {
        assert!(Instant::now() < deadline, "appends work again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_released_goes_after_the_drain_time_and_late_commits_are_ignored() {
    let kafka = shared().await;
    let broker = broker(kafka.url()).await;
    broker.create_topic(&TopicSpec::new("drain", 2)).await.unwrap();
    let drain_timeout = Duration::from_millis(200);
    let settings = GroupSettings { drain_timeout, ..GroupSettings::new("drain") };
    let mut old = broker.subscribe("drain", &settings).unwrap();
    assert_eq!(assigned(&mut old).await.len(), 2);
    let mut new = broker.subscribe("drain", &settings).unwrap();
    let revoked = loop {
        if let ConsumerEvent::Revoking(partitions) = next(&mut old).await.unwrap() {
            break partitions;
        }
    };
    let taken = assigned(&mut new).await;
    assert_eq!(
        revoked,
        taken.iter().map(|t| t.partition).collect::<Vec<u32>>(),
        "it goes although nobody released it"
    );

    let kept = 1 - revoked[0];
    old.release(&[Commit::clean(revoked[0], 77), Commit::clean(kept, 5)]).await.unwrap();
    let mut expected = [None, None];
    expected[kept as usize] = Some(5);
    assert_eq!(broker.committed("drain", "drain").await.unwrap(), expected);
    let lost = loop {
        if let ConsumerEvent::Lost(partitions) = next(&mut old).await.unwrap() {
            break partitions;
        }
    };
    assert_eq!(lost, revoked, "its owner is told");
    old.close(&[]).await.unwrap();
    new.close(&[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance_of_one_static_member_fences_the_first() {
    let kafka = shared().await;
    let broker = broker(kafka.url()).await;
    broker.create_topic(&TopicSpec::new("static", 1)).await.unwrap();
    let settings = GroupSettings { instance_id: Some("one".into()), ..GroupSettings::new("static") };
    let mut first = broker.subscribe("static", &settings).unwrap();
    assigned(&mut first).await;
    let mut second = broker.subscribe("static", &settings).unwrap();
    let error = loop {
        if let Err(error) = next(&mut first).await {
            break error;
        }
    };
    assert_eq!(error.class(), Class::Fatal, "{error:?}");
    assert!(next(&mut first).await.is_err(), "every further call fails");
    assert_eq!(assigned(&mut second).await.len(), 1);
    second.close(&[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_step_over_the_hole_at_the_end() {
    let kafka = shared().await;
    let broker = broker(kafka.url()).await;
    broker.create_topic(&TopicSpec::new("hole", 1)).await.unwrap();
    let url = kafka.url().to_owned();
    // The end of a transaction takes an offset and is no record.
    tokio::task::spawn_blocking(move || {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", url).set("transactional.id", "hole");
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(DEADLINE).unwrap();
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::<(), str>::to("hole").payload("0")).map_err(|(e, _)| e).unwrap();
        producer.commit_transaction(DEADLINE).unwrap();
    })
    .await
    .unwrap();
    let deadline = Instant::now() + DEADLINE;
    while broker.bounds("hole").await.unwrap()[0].latest != 2 {
        assert!(Instant::now() < deadline, "the end of the transaction is written");
    }

    let mut cursor = broker.cursor("hole", &[(0, 0)]).unwrap();
    while cursor.position(0) != Some(2) {
        assert!(Instant::now() < deadline, "the position stays at {:?}", cursor.position(0));
        cursor.fetch(10, Duration::from_millis(100)).await.unwrap();
    }
    let mut consumer = broker.subscribe("hole", &GroupSettings::new("hole")).unwrap();
    let mut end = 0;
    while end != 2 {
        if let ConsumerEvent::Records(fetched) = next(&mut consumer).await.unwrap() {
            end = fetched.next;
        }
    }
    consumer.close(&[Commit::clean(0, end)]).await.unwrap();
    assert_eq!(broker.committed("hole", "hole").await.unwrap(), [Some(2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_does_not_poll_stays_in_its_group() {
    let kafka = shared().await;
    let broker = broker(kafka.url()).await;
    broker.create_topic(&TopicSpec::new("idle", 1)).await.unwrap();
    let producer = broker.producer().unwrap();
    producer.append("idle", numbers(0..5000)).await.unwrap();
    let session_timeout = Duration::from_secs(1);
    let settings = GroupSettings { prefetch: 100, session_timeout, ..GroupSettings::new("idle") };
    let mut consumer = broker.subscribe("idle", &settings).unwrap();
    let epoch = assigned(&mut consumer).await[0].epoch;
    // Three sessions without a poll, in which the prefetch fills up.
    tokio::time::sleep(session_timeout * 3).await;
    let mut all = Vec::new();
    while all.len() < 5000 {
        match next(&mut consumer).await.unwrap() {
            ConsumerEvent::Records(fetched) => {
                assert_eq!(fetched.epoch, epoch, "it was never taken away");
                all.extend(read(&fetched));
            }
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(all, (0..5000).collect::<Vec<u64>>());
    consumer.close(&[Commit::clean(0, 5000)]).await.unwrap();
    assert_eq!(broker.committed("idle", "idle").await.unwrap(), [Some(5000)]);
}

const CHILD: &str = "SQUALL_TEST_MEMBER";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_frozen_loses_its_partitions_and_commits_nothing() {
    if let Ok(place) = std::env::var(CHILD) {
        return be_the_member(&place).await;
    }
    let kafka = shared().await;
    let broker = broker(kafka.url()).await;
    broker.create_topic(&TopicSpec::new("frozen", 1)).await.unwrap();
    let mut child = Child::start(kafka, "a_member_that_was_frozen_loses_its_partitions_and_commits_nothing");
    child.said("assigned").await;
    child.signal(Signal::STOP);
    let mut other = broker.subscribe("frozen", &frozen("frozen")).unwrap();
    assert_eq!(assigned(&mut other).await.len(), 1, "the group takes it away");
    child.signal(Signal::CONT);
    child.said("lost").await;
    child.said("committed").await;
    assert_eq!(broker.committed("frozen", "frozen").await.unwrap(), [None]);
    other.close(&[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_leaves_without_an_error_when_the_group_has_moved_on() {
    if let Ok(place) = std::env::var(CHILD) {
        return leave_after_the_frost(&place).await;
    }
    let kafka = shared().await;
    let broker = broker(kafka.url()).await;
    broker.create_topic(&TopicSpec::new("late", 1)).await.unwrap();
    let mut child = Child::start(kafka, "a_member_leaves_without_an_error_when_the_group_has_moved_on");
    child.said("assigned").await;
    child.signal(Signal::STOP);
    let mut other = broker.subscribe("late", &frozen("late")).unwrap();
    assert_eq!(assigned(&mut other).await.len(), 1, "the group takes it away");
    child.signal(Signal::CONT);
    let said = child.said("left").await;
    assert!(said.contains("left Ok"), "{said}");
    assert_eq!(broker.committed("late", "late").await.unwrap(), [None]);
    other.close(&[]).await.unwrap();
}

/// A member in a process of its own: this test again, told to be one.
struct Child {
    process: std::process::Child,
    log: tempfile::NamedTempFile,
}

impl Child {
    fn start(kafka: &Kafka, test: &str) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let process = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(CHILD, format!("{} {}", kafka.url(), log.path().display()))
            .spawn()
            .unwrap();
        Self { process, log }
    }

    /// Waits until it has said `word`; all that it said.
    async fn said(&self, word: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let said = std::fs::read_to_string(self.log.path()).unwrap_or_default();
            if said.contains(word) {
                return said;
            }
            assert!(Instant::now() < deadline, "the member says {word}, not {said}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn signal(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// How long the group waits for a member.
const SESSION: Duration = Duration::from_secs(1);

fn frozen(group: &str) -> GroupSettings {
    GroupSettings { session_timeout: SESSION, ..GroupSettings::new(group) }
}

/// Leaves as soon as the clock says that it was frozen, before it can know that the group went on without it.
async fn leave_after_the_frost(place: &str) {
    let (url, log) = place.split_once(' ').unwrap();
    let broker = broker(url).await;
    let mut consumer = broker.subscribe("late", &frozen("late")).unwrap();
    assigned(&mut consumer).await;
    std::fs::write(log, "assigned").unwrap();
    let mut last = Instant::now();
    while last.elapsed() < SESSION / 2 {
        last = Instant::now();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let left = consumer.close(&[Commit::clean(0, 99)]).await;
    std::fs::write(log, format!("left {left:?}")).unwrap();
}

/// Writes down what happens to it, and tries to commit what it has lost.
async fn be_the_member(place: &str) {
    let (url, log) = place.split_once(' ').unwrap();
    let broker = broker(url).await;
    let mut consumer = broker.subscribe("frozen", &frozen("frozen")).unwrap();
    let mut said = String::new();
    loop {
        match consumer.poll(10).await.unwrap() {
            ConsumerEvent::Assigned(_) => said.push_str("assigned\n"),
            ConsumerEvent::Revoking(_) => said.push_str("revoking\n"),
            ConsumerEvent::Lost(_) => {
                said.push_str("lost\n");
                consumer.commit(&[Commit::clean(0, 99)]).unwrap();
                consumer.release(&[Commit::clean(0, 99)]).await.unwrap();
                said.push_str("committed\n");
            }
            ConsumerEvent::Records(_) => {}
        }
        std::fs::write(log, &said).unwrap();
    }
}
