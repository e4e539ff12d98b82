//! Kafka.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use squall::broker::kafka::{KafkaBroker, KafkaSettings};
use squall::broker::{Append, Broker, BrokerError, Producer, TopicSink, TopicSpec};
use squall::testing::Fault;
use squall::testing::servers::{Kafka, KafkaOptions};
use squall::{Class, Classify, Sink};
use tokio::time::timeout;

use super::{DEADLINE, failed, stored, write};

fn sink(producer: Arc<dyn Producer>, topic: &str) -> impl Sink<In = Bytes> {
    TopicSink::new(producer, topic, |value: &Bytes| Append { value: Some(value.clone()), ..Append::default() })
}

/// Bytes that no compression makes fewer.
fn random(bytes: usize) -> Bytes {
    let next =
        |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    let states = std::iter::successors(Some(1_u64), next);
    states.map(|state| (state >> 56) as u8).take(bytes).collect()
}

/// Everything that the only partition of a topic holds.
async fn values(broker: &KafkaBroker, topic: &str) -> Vec<Bytes> {
    let end = broker.bounds(topic).await.unwrap()[0].latest;
    let mut cursor = broker.cursor(topic, &[(0, 0)]).unwrap();
    let mut values = Vec::new();
    timeout(DEADLINE, async {
        while cursor.position(0).is_some_and(|next| next < end) {
            let fetched = cursor.fetch(1000, Duration::from_millis(100)).await.unwrap();
            values
                .extend(fetched.into_iter().flat_map(|fetched| fetched.records).filter_map(|record| record.value));
        }
    })
    .await
    .expect("the records come");
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_too_large_is_poison_and_a_topic_that_is_missing_is_fatal() {
    let kafka = Kafka::start_own(KafkaOptions::default()).await.unwrap();
    let broker = KafkaBroker::connect(KafkaSettings::new(kafka.url())).await.unwrap();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.url()).create().unwrap();
    let small = NewTopic::new("small", 1, TopicReplication::Fixed(1)).set("max.message.bytes", "10000");
    admin.create_topics([&small], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();

    let mut small = sink(broker.producer().unwrap(), "small");
    stored(&mut small, &[Bytes::from_static(b"before")]).await;
    // Refused by the server, whose limit is smaller than the client's; then by the client.
    failed(&mut small, &[random(50_000)], Class::Poison, "MessageSizeTooLarge").await;
    failed(&mut small, &[random(2_000_000)], Class::Poison, "exceeds the limit").await;
    // As a whole: the runtime divides the write until the one at fault stands alone.
    let rows = [Bytes::from_static(b"a"), random(2_000_000), Bytes::from_static(b"b")];
    failed(&mut small, &rows, Class::Poison, "exceeds the limit").await;
    stored(&mut small, &[rows[0].clone(), rows[2].clone()]).await;
    assert_eq!(values(&broker, "small").await, ["before", "a", "b"]);

    let mut missing = sink(broker.producer().unwrap(), "missing");
    failed(&mut missing, &[Bytes::from_static(b"x")], Class::Fatal, "does not exist").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_is_a_time_out_within_its_bound_and_what_comes_after_flows() {
    let (mut kafka, proxy) = Kafka::start_behind_proxy(KafkaOptions::default()).await.unwrap();
    let settings = KafkaSettings {
        delivery_timeout: Duration::from_secs(3),
        request_timeout: Duration::from_secs(2),
        ..KafkaSettings::new(proxy.address().to_string())
    };
    let broker = KafkaBroker::connect(settings).await.unwrap();
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let producer = broker.producer().unwrap();
    let mut topic = sink(Arc::clone(&producer), "t");
    stored(&mut topic, &[Bytes::from_static(b"before")]).await;

    for fault in [Fault::BlackHole, Fault::DropReplies, Fault::Cut] {
        let text = format!("{fault:?}");
        let lost = proxy.swallowed();
        proxy.set(fault);
        let append = Append { value: Some(text.clone().into()), ..Append::default() };
        let error = timeout(DEADLINE, producer.append("t", vec![append])).await.expect("it gives up").unwrap_err();
        assert!(matches!(error, BrokerError::Timeout { after_ms: 3000, .. }), "{error:?}");
        assert_eq!(error.class(), Class::Retryable);
        assert!(fault == Fault::Cut || proxy.swallowed() > lost, "{fault:?} hit something");
        assert_eq!(broker.topics().await.unwrap_err().class(), Class::Retryable);
        proxy.set(Fault::None);
        stored(&mut topic, &[format!("after {text}").into()]).await;
    }
    kafka.kill().unwrap();
    let error = write(&mut topic, &[Bytes::from_static(b"down")]).await.unwrap_err();
    assert_eq!(error.class(), Class::Retryable, "{error:?}");
    kafka.restart().await.unwrap();
    stored(&mut topic, &[Bytes::from_static(b"up")]).await;

    let values = values(&broker, "t").await;
    for expected in ["before", "after BlackHole", "after DropReplies", "after Cut", "up"] {
        assert!(values.contains(&Bytes::from_static(expected.as_bytes())), "{expected} is missing in {values:?}");
    }
}
