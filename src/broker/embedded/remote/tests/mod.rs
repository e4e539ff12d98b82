//! The log through the socket.

mod bounds;
mod conformance;
mod errors;
mod frames;
mod gone;
mod groups;
mod pauses;
mod raw;
mod strangers;
mod together;

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::super::{EmbeddedBroker, EmbeddedSettings};
use super::{RemoteBroker, RemoteSettings};
use crate::broker::{Append, Broker, BrokerError, ConsumerEvent, Granted, LogRecord, Note, TopicSpec};

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(60);

fn shared() -> EmbeddedSettings {
    EmbeddedSettings { share: true, ..EmbeddedSettings::for_tests() }
}

fn serve(dir: &Path, settings: &EmbeddedSettings) -> EmbeddedBroker {
    EmbeddedBroker::open(dir, settings.clone()).unwrap()
}

async fn connect(dir: &Path) -> RemoteBroker {
    RemoteBroker::connect(dir, RemoteSettings::default()).await.unwrap().expect("somebody serves")
}

/// A served log with the topic `t`, and a client.
async fn fixture(partitions: u32, settings: &EmbeddedSettings) -> (TempDir, EmbeddedBroker, RemoteBroker) {
    let dir = tempfile::tempdir().unwrap();
    let log = serve(dir.path(), settings);
    log.create_topic(&TopicSpec::new("t", partitions)).await.unwrap();
    let remote = connect(dir.path()).await;
    (dir, log, remote)
}

/// A record of partition 0.
fn record(value: impl Into<String>) -> Append {
    Append { partition: Some(0), value: Some(value.into().into()), ..Append::default() }
}

async fn append(broker: &dyn Broker, values: &[&str]) -> Result<(), BrokerError> {
    let records = values.iter().map(|value| record(*value)).collect();
    broker.producer().unwrap().append("t", records).await.map(drop)
}

/// The values of partition 0 of `t`.
async fn read_all(broker: &dyn Broker) -> Vec<String> {
    let latest = broker.bounds("t").await.unwrap()[0].latest;
    let mut cursor = broker.cursor("t", &[(0, 0)]).unwrap();
    let mut values = Vec::new();
    while cursor.position(0).unwrap() < latest {
        let fetched = cursor.fetch(100, DEADLINE).await.unwrap().expect("records");
        values.extend(fetched.records.iter().map(text));
    }
    values
}

fn text(record: &LogRecord) -> String {
    String::from_utf8(record.value.as_deref().unwrap().to_vec()).unwrap()
}

/// The event of partitions, epochs and offsets of which nothing was said.
fn assigned(grants: &[(u32, u32, u64)]) -> ConsumerEvent {
    let granted = |(partition, epoch, next): &(_, _, _)| Granted {
        partition: *partition,
        epoch: *epoch,
        next: *next,
        note: Note::Clean,
        seek: 0,
    };
    ConsumerEvent::Assigned(grants.iter().map(granted).collect())
}

/// Waits until `done`, which is asked again and again.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done().await {
        assert!(Instant::now() < deadline, "no {what} within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Demands the error of a server that is not there, with its name.
fn is_gone(error: &BrokerError, dir: &Path) {
    use crate::topology::{Class, Classify};
    assert!(
        matches!(error, BrokerError::Remote { socket, .. } if *socket == super::socket::path(dir)),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Retryable);
    assert!(error.to_string().contains("broker.sock"), "{error}");
}
