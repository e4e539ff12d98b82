//! What holds for the embedded log in particular.

mod conformance;
mod crash;
mod damage;
mod figures;
mod groups;
mod limits;
mod upkeep;

use std::path::Path;

use super::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, Broker, LogRecord, Position};

/// A log without background work, that waits for the disk when `sync` is set.
fn open(dir: &Path, sync: bool) -> EmbeddedBroker {
    let settings = EmbeddedSettings { sync, ..EmbeddedSettings::for_tests() };
    EmbeddedBroker::open(dir, settings).unwrap()
}

/// A record of partition 0.
fn record(value: impl Into<String>) -> Append {
    Append { partition: Some(0), value: Some(value.into().into()), ..Append::default() }
}

async fn append(broker: &EmbeddedBroker, topic: &str, records: Vec<Append>) -> Vec<Position> {
    broker.producer().unwrap().append(topic, records).await.unwrap()
}

/// All records of partition 0.
async fn read_all(broker: &EmbeddedBroker, topic: &str) -> Vec<LogRecord> {
    let bounds = broker.bounds(topic).await.unwrap()[0];
    let mut cursor = broker.cursor(topic, &[(0, bounds.earliest)]).unwrap();
    let mut records = Vec::new();
    while cursor.position(0).unwrap() < bounds.latest {
        let fetched = cursor.fetch(100, std::time::Duration::ZERO).await.unwrap();
        records.extend(fetched.into_iter().flat_map(|f| f.records));
    }
    records
}

fn text(record: &LogRecord) -> &str {
    record.value.as_deref().map_or("-", |v| std::str::from_utf8(v).unwrap())
}
