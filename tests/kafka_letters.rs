//! Dead letters on a real Kafka: listed, sent back at a rate, marked, discarded, and what then waits.

#![allow(clippy::unwrap_used, reason = "a test panics")]

use std::sync::Arc;
use std::time::Duration;

use squall::broker::dead_letter::dead_letter;
use squall::broker::kafka::{KafkaBroker, KafkaSettings};
use squall::broker::{Append, Broker, LogRecord, TopicSpec};
use squall::control::{Names, ensure};
use squall::delivery::letters::{Filter, Intent, Letters, MarkState, Redrive, Which};
use squall::delivery::{Parked, Topics, queues};
use squall::guard::{Clock, LoopGuardSettings};
use squall::testing::servers::Kafka;
use squall::{Class, Headers, Origin};

const REDRIVE: Intent = Intent::Redrive { to_source: false, new_payload: false, max_redrives: 3 };

fn record(at: u64) -> LogRecord {
    LogRecord {
        origin: Origin { topic: "lines".into(), partition: 0, offset: at, attempt: 1 },
        key: Some(format!("key {at}").into()),
        headers: Headers::default().with("colour", "red"),
        timestamp_ms: 1_700_000_000_000,
        value: Some(format!("line {at}").into()),
    }
}

/// The letter of a record that the sink `rows` did not store.
fn letter(at: u64) -> Append {
    let parked = Parked {
        record: record(at),
        sink: Some("rows".into()),
        class: Class::Poison,
        reason: "data too long".into(),
        version: String::new(),
        not_before_ms: 0,
        first_failure_ms: 1_700_000_000_000,
        last_failure_ms: 1_700_000_000_000,
        redriven: 0,
    };
    parked.to_append()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_go_back_and_are_marked() {
    let kafka = Kafka::start().await.unwrap();
    let broker: Arc<dyn Broker> = Arc::new(KafkaBroker::connect(KafkaSettings::new(kafka.url())).await.unwrap());
    ensure(&*broker, "words", 1).await.unwrap();
    let topics = Topics::of("words", "rows", 1, &[Duration::from_secs(1)]);
    for (name, partitions) in topics.all().map(|name| (name, 2)).chain([("words.dead", 3), ("lines", 1)]) {
        broker.create_topic(&TopicSpec::new(name, partitions)).await.unwrap();
    }
    let letters = Letters::new(broker.clone(), "words", "words.dead", &Names::of("words").letters, Clock::new());
    assert_eq!(letters.list(&Filter::default(), 10).await.unwrap().total(), 0);
    let mut dead: Vec<_> = (0..40).map(letter).collect();
    dead.push(dead_letter(&record(40), Class::Poison, "no line"));
    broker.producer().unwrap().append("words.dead", dead).await.unwrap();

    let recent = Filter { since_ms: Some(Clock::new().unix_ms() - 600_000), ..Filter::default() };
    let listing = letters.list(&recent, 5).await.unwrap();
    assert_eq!((listing.letters.len(), listing.total()), (5, 41));
    let id = listing.letters[0].id();
    assert!(letters.find(id).await.unwrap().stored.value.is_some());

    let plan = letters.plan(&Which::Matching(recent), REDRIVE, false, 1_000).await.unwrap();
    assert_eq!((plan.letters.len(), plan.refused.len()), (41, 0), "{:?}", plan.refused);
    let how = Redrive {
        rate: 200,
        to_source: false,
        payload: None,
        who: "ann@desk".into(),
        reason: "fixed".into(),
        guard: LoopGuardSettings::default(),
    };
    let done = letters.redrive(&plan, &how, |_| ()).await.unwrap();
    assert_eq!((done.sent, done.looped), (41, None));
    let waiting = queues(&*broker, "words").await.unwrap();
    assert_eq!(waiting.iter().map(|queue| queue.waiting).collect::<Vec<_>>(), [40, 0]);
    assert!(waiting[0].oldest_ms.is_some() && waiting[0].next_due_ms == Some(0), "{waiting:?}");
    assert_eq!(broker.bounds("lines").await.unwrap()[0].latest, 1, "what came to no sink is in its source again");

    assert_eq!(letters.list(&Filter::default(), 10).await.unwrap().total(), 0, "all are marked");
    let mark = letters.find(id).await.unwrap().mark.unwrap();
    assert_eq!((mark.state, mark.times), (MarkState::Redriven, 1));
    let again = letters.plan(&Which::Ids(vec![id]), Intent::Discard, true, 10).await.unwrap();
    letters.discard(&again, "ann@desk", "no use").await.unwrap();
    let mark = letters.find(id).await.unwrap().mark.unwrap();
    assert_eq!((mark.state, mark.times), (MarkState::Discarded, 2));
}
