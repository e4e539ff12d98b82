//! A log that is away when the process starts.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::{Durable, DurableProducer, DurableSettings, LateProducer};
use super::{record, settings, soon, until};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Broker, Producer, TopicSpec};
use crate::guard::Clock;
use crate::topology::Error;

const RETRY: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_service_starts_without_its_log_and_brings_records_there_later() {
    let (dir, tries) = (tempfile::tempdir().unwrap(), Arc::<AtomicUsize>::default());
    let log = EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap();
    log.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let open = {
        let (log, tries) = (log.clone(), tries.clone());
        move || {
            let (log, try_number) = (log.clone(), tries.fetch_add(1, Ordering::SeqCst));
            async move {
                // As long as a client tries to connect.
                tokio::time::sleep(Duration::from_secs(10)).await;
                match try_number < 3 {
                    true => Err(Error::retryable("nobody answers")),
                    false => Ok(Arc::new(log) as Arc<dyn Broker>),
                }
            }
        }
    };
    let late = Arc::new(LateProducer::start("kafka:9092", RETRY, RETRY, open).await.unwrap());
    assert_eq!(late.reason().unwrap(), "it has not answered yet");
    let error = late.append("t", vec![record("x")]).await.unwrap_err();
    assert!(error.to_string().contains("kafka:9092"), "{error}");
    let settings = DurableSettings::new(settings(dir.path()));
    let producer = DurableProducer::open(late.clone(), settings, Clock::new()).await.unwrap();
    for n in 0..50 {
        assert_eq!(producer.append("t", vec![record(format!("{n:02}"))], soon()).await.unwrap(), Durable::Spill);
    }
    until("it is tried again", || late.reason().is_some_and(|reason| reason == "nobody answers")).await;
    until("the spill is drained", || producer.status().spill.records == 0).await;
    assert_eq!(late.reason(), None);
    assert_eq!(tries.load(Ordering::SeqCst), 4);
    let mut cursor = late.broker().unwrap().cursor("t", &[(0, 0)]).unwrap();
    let records = cursor.fetch(100, Duration::ZERO).await.unwrap().unwrap().records;
    let texts: Vec<_> = records.iter().map(|read| String::from_utf8_lossy(read.value.as_ref().unwrap())).collect();
    assert_eq!(texts, (0..50).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    producer.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_waiting_does_not_mend_ends_the_start() {
    let open = || async { Err(Error::fatal("broker.kafka.bootstrap is missing")) };
    let error = LateProducer::start("?", RETRY, RETRY, open).await.err().unwrap();
    assert_eq!(error.to_string(), "broker.kafka.bootstrap is missing");
}
