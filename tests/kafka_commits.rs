//! Commits that nobody waits for, and that a real Kafka refuses.

#![allow(clippy::unwrap_used, reason = "a test panics")]

use std::time::{Duration, Instant};

use squall::broker::kafka::{KafkaBroker, KafkaSettings};
use squall::broker::{Append, Broker, Commit, ConsumerEvent, GroupSettings, Note, TopicSpec};
use squall::testing::servers::{Kafka, KafkaOptions};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Nothing else would bring it up: a partition at rest has no later commit that fails or makes it good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_refused_is_heard_of_without_another_record() {
    // `open` fits, `singly:3` does not.
    let properties = vec![("offset.metadata.max.bytes".to_owned(), "6".to_owned())];
    let kafka = Kafka::start_own(KafkaOptions { properties, ..KafkaOptions::default() }).await.unwrap();
    let broker = KafkaBroker::connect(KafkaSettings::new(kafka.url())).await.unwrap();
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let record = Append { partition: Some(0), value: Some("x".into()), ..Append::default() };
    broker.producer().unwrap().append("t", vec![record]).await.unwrap();
    let mut member = broker.subscribe("t", &GroupSettings::new("g")).unwrap();
    let mut next = async || tokio::time::timeout(DEADLINE, member.poll(10)).await.unwrap().unwrap();
    assert!(matches!(next().await, ConsumerEvent::Assigned(_)));
    assert!(matches!(next().await, ConsumerEvent::Records(_)));

    let refused = Commit { note: Note::Singly { deaths: 3 }, ..Commit::clean(0, 1) };
    member.commit(&[refused]).unwrap();
    let began = Instant::now();
    let error = loop {
        if let Err(error) = member.commit(&[]) {
            break error;
        }
        assert!(began.elapsed() < DEADLINE, "nobody says that it was refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(error.to_string().contains("cannot commit"), "{error}");
    assert_eq!(broker.committed("g", "t").await.unwrap(), [None]);

    member.commit(&[Commit { note: Note::Open, ..Commit::clean(0, 1) }]).unwrap();
    while broker.committed("g", "t").await.unwrap() != [Some(1)] {
        assert!(began.elapsed() < DEADLINE * 2, "the next one is not made");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    member.commit(&[]).unwrap();
    member.close(&[]).await.unwrap();
}
