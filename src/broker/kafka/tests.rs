//! What can be said without a server.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::broker::in_sync;
use super::consume::MessageQueue;
use super::inbox::{Event, Inbox, NO_EPOCH, Place};
use super::settings::is_secret;
use super::{KafkaBroker, KafkaSettings, config};
use crate::broker::{Append, Broker, BrokerError, Fetched};
use crate::topology::{Class, Classify, Origin, Record};

fn fetched(partition: u32, offsets: std::ops::Range<u64>) -> Fetched {
    fetched_as_of(NO_EPOCH, partition, offsets)
}

fn fetched_as_of(epoch: u32, partition: u32, offsets: std::ops::Range<u64>) -> Fetched {
    let topic: Arc<str> = "t".into();
    let record = |offset| Record::new(Origin { topic: Arc::clone(&topic), partition, offset, attempt: 0 }, None);
    Fetched { partition, epoch, next: offsets.end, records: offsets.map(record).collect() }
}

fn next(inbox: &Inbox, max: usize) -> Option<(u32, Vec<u64>, u64)> {
    match inbox.try_next(max).unwrap()? {
        Event::Records(f) => Some((f.partition, f.records.iter().map(|r| r.origin.offset).collect(), f.next)),
        event => panic!("{event:?}"),
    }
}

#[test]
fn records_are_handed_out_by_portions_and_make_room() {
    let inbox = Inbox::new(5, None);
    assert_eq!(inbox.room(Duration::ZERO), 5);
    inbox.push(Event::Records(fetched(0, 10..15)));
    assert_eq!(inbox.room(Duration::ZERO), 0);
    assert_eq!(next(&inbox, 2), Some((0, vec![10, 11], 12)));
    assert_eq!(inbox.room(Duration::ZERO), 2);
    assert_eq!(next(&inbox, 100), Some((0, vec![12, 13, 14], 15)));
    assert_eq!(next(&inbox, 100), None);
    assert_eq!(inbox.room(Duration::ZERO), 5);
}

/// The wait is far longer than the test would be left to run.
#[test]
fn a_wait_for_messages_ends_when_it_is_woken() {
    let consumer: BaseConsumer = ClientConfig::new().set("group.id", "g").create().unwrap();
    let mut queue = MessageQueue::new(&consumer).unwrap();
    let (waker, (begun, begins), (ended, ends)) = (queue.waker(), channel(), channel());
    let waits = thread::spawn(move || {
        begun.send(()).unwrap();
        let mut taken = 0;
        queue.take(1, Duration::from_secs(86_400), |_| taken += 1);
        drop(queue);
        ended.send(taken).unwrap();
    });
    begins.recv().unwrap();
    // Woken before it waits, the next wait ends at once: either way once is enough.
    waker.wake();
    assert_eq!(ends.recv_timeout(Duration::from_secs(60)), Ok(0));
    waits.join().unwrap();
    waker.wake();
}

#[test]
fn what_is_fetched_before_a_seek_is_done_is_dropped() {
    let inbox = Inbox::new(100, None);
    inbox.push(Event::Records(fetched(0, 0..3)));
    inbox.push(Event::Records(fetched(1, 0..3)));
    inbox.seek(0, 50).unwrap();
    inbox.push(Event::Records(fetched(0, 3..6)));
    inbox.seek(0, 70).unwrap();
    inbox.sought(Place { partition: 0, epoch: NO_EPOCH });
    inbox.push(Event::Records(fetched(0, 50..53)));
    inbox.sought(Place { partition: 0, epoch: NO_EPOCH });
    inbox.push(Event::Records(fetched(0, 70..71)));
    assert_eq!(next(&inbox, 100), Some((1, vec![0, 1, 2], 3)));
    assert_eq!(next(&inbox, 100), Some((0, vec![70], 71)));
    assert_eq!(next(&inbox, 100), None);
}

#[test]
fn a_pause_drops_what_was_fetched_of_its_own_assignment_only() {
    let inbox = Inbox::new(100, None);
    let old = Place { partition: 0, epoch: 1 };
    inbox.push(Event::Records(fetched_as_of(1, 0, 0..3)));
    inbox.push(Event::OutOfRange { partition: 0, epoch: 1, offset: 3 });
    inbox.push(Event::Records(fetched_as_of(2, 0, 10..13)));
    inbox.pause(old, 0).unwrap();
    inbox.push(Event::Records(fetched_as_of(1, 0, 3..6)));
    inbox.push(Event::Records(fetched_as_of(2, 0, 13..14)));
    inbox.sought(old);
    assert_eq!(next(&inbox, 100), Some((0, vec![10, 11, 12], 13)));
    assert_eq!(next(&inbox, 100), Some((0, vec![13], 14)));
    assert_eq!(next(&inbox, 100), None);
}

#[test]
fn no_record_of_a_partition_follows_its_revocation() {
    let inbox = Inbox::new(100, None);
    inbox.push(Event::Records(fetched(0, 0..3)));
    inbox.push(Event::Records(fetched(1, 0..3)));
    inbox.take_away(&[0], Event::Revoking(vec![0]));
    assert_eq!(next(&inbox, 100), Some((1, vec![0, 1, 2], 3)));
    assert!(matches!(inbox.try_next(1), Ok(Some(Event::Revoking(taken))) if taken == [0]));
    assert_eq!(inbox.room(Duration::ZERO), 100);
}

#[test]
fn what_came_before_the_end_is_still_handed_out() {
    let inbox = Inbox::new(100, None);
    inbox.push(Event::Records(fetched(0, 0..1)));
    inbox.end();
    assert_eq!(next(&inbox, 100), Some((0, vec![0], 1)));
    assert!(matches!(inbox.try_next(1), Err(BrokerError::Closed { .. })));
    assert!(matches!(inbox.seek(0, 1), Err(BrokerError::Closed { .. })));
}

#[test]
fn debug_shows_no_secret() {
    let secrets = [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.jaas.config",
    ];
    for name in secrets {
        assert!(is_secret(name), "{name}");
        let text = format!("{:?}", KafkaSettings::new("broker:9092").property(name, "hunter2"));
        assert!(text.contains(name) && !text.contains("hunter2"), "{text}");
    }
    let open = format!("{:?}", KafkaSettings::new("broker:9092").property("security.protocol", "SASL_SSL"));
    assert!(open.contains("SASL_SSL"), "{open}");
}

#[tokio::test]
async fn refused_properties_are_named_without_their_secrets() {
    let connect = |name: &str| {
        let settings =
            KafkaSettings { connect_timeout: Duration::from_millis(300), ..KafkaSettings::new("127.0.0.1:1") };
        let settings = settings.property(name, "hunter2");
        async { KafkaBroker::connect(settings).await.err().unwrap() }
    };
    let reports = "delivery.report.only.error";
    for name in ["enable.idempotence", "auto.offset.reset", "group.id", "sasl.oauthbearer.method", reports] {
        let error = connect(name).await;
        assert!(matches!(&error, BrokerError::Invalid { reason, .. } if reason.contains(name)), "{error:?}");
        assert_eq!(error.class(), Class::Fatal);
    }
    // A private key that is none.
    let error = connect("ssl.key.pem").await;
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

/// A server cannot be told to forget a producer; librdkafka's own imitation of one can.
#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_lost_track_is_followed_by_another() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    let settings = KafkaSettings::new(cluster.bootstrap_servers());
    let producer = KafkaBroker::connect(settings).await.unwrap().producer().unwrap();
    let append = async || {
        let record = Append { key: Some("k".into()), value: Some("v".into()), ..Append::default() };
        producer.append("t", vec![record]).await
    };
    append().await.unwrap();
    for _ in 0..2 {
        let lost = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        cluster.request_errors(RDKafkaApiKey::Produce, &[lost]);
        // Several have the one that is given up.
        let together = tokio::join!(append(), append(), append(), append());
        let outcomes = [together.0, together.1, together.2, together.3];
        assert!(outcomes.iter().any(Result::is_err), "nothing was given up");
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(error, BrokerError::Interrupted { .. }), "{error:?}");
            assert_eq!(error.class(), Class::Retryable);
        }
        let together = tokio::join!(append(), append(), append(), append());
        for outcome in [together.0, together.1, together.2, together.3] {
            outcome.unwrap();
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let settings =
        KafkaSettings { connect_timeout: Duration::from_millis(300), ..KafkaSettings::new("127.0.0.1:1") };
    let error = KafkaBroker::connect(settings).await.err().unwrap();
    assert!(matches!(&error, BrokerError::Unreachable { address, .. } if address == "127.0.0.1:1"), "{error:?}");
    assert!(error.to_string().contains("refused"), "the reason is that of the connection: {error}");
    assert_eq!(error.class(), Class::Retryable);
}

#[test]
fn a_cursor_that_is_read_slowly_does_not_fetch_far_ahead() {
    let settings = KafkaSettings::new("127.0.0.1:1");
    let fetched = |settings: &KafkaSettings, ahead: usize| {
        let config = config::cursor(settings, ahead).unwrap();
        ["queued.min.messages", "fetch.message.max.bytes"].map(|name| config.get(name).map(str::to_owned))
    };
    let expected = |records: &str, bytes: &str| [Some(records.to_owned()), Some(bytes.to_owned())];
    assert_eq!(fetched(&settings, 0), expected("1", "65536"));
    assert_eq!(fetched(&settings, 1_000), expected("500", "256000"));
    assert_eq!(fetched(&settings, settings.cursor_prefetch), expected("8192", "1048576"));
    for name in ["fetch.message.max.bytes", "max.partition.fetch.bytes"] {
        let own = settings.clone().property(name, "77777");
        let config = config::cursor(&own, 10).unwrap();
        let other =
            ["fetch.message.max.bytes", "max.partition.fetch.bytes"].into_iter().find(|other| *other != name);
        assert_eq!((config.get(name), other.and_then(|other| config.get(other))), (Some("77777"), None));
    }
}

#[test]
fn what_is_acknowledged_outlives_one_of_three_copies() {
    assert_eq!([1, 2, 3, 5].map(in_sync), [1, 1, 2, 4]);
}
