//! The log spout over the embedded log, on paused time.

mod abort;
mod beginnings;
mod checked;
mod deaths;
mod desk;
mod failures;
mod gaps;
mod gates;
mod groups;
mod notes;
mod reads;
mod schedules;
mod seeks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::checked::Checked;
use super::{LogSpout, LogSpoutSettings};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, Broker, Gate, GroupSettings, LogRecord, TopicSpec};
use crate::topology::{Bolt, Emitter, Rejected, Result, Sink, Topology, Tuning};

/// How often each `(partition, offset)` was stored.
type Stored = Arc<Mutex<BTreeMap<(u32, u64), u32>>>;

/// A log with nothing in it.
struct Log {
    broker: Arc<EmbeddedBroker>,
    _dir: tempfile::TempDir,
}

impl Log {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(dir.path(), EmbeddedSettings::for_tests()).unwrap();
        Self { broker: Arc::new(broker), _dir: dir }
    }

    /// A topic with this many records in each partition.
    fn fill(&self, topic: &str, partitions: u32, records: u64) {
        block_on(async {
            self.broker.create_topic(&TopicSpec::new(topic, partitions)).await.unwrap();
        });
        self.append(topic, partitions, 0..records);
    }

    fn append(&self, topic: &str, partitions: u32, values: std::ops::Range<u64>) {
        let records = (0..partitions).flat_map(|partition| {
            values.clone().map(move |value| Append {
                partition: Some(partition),
                key: Some(format!("k{value}").into()),
                value: Some(value.to_string().into()),
                headers: crate::topology::Headers::default().with("colour", "red"),
                timestamp_ms: Some(value as i64 * 1000),
            })
        });
        let (records, producer) = (records.collect(), self.broker.producer().unwrap());
        block_on(async { producer.append(topic, records).await.unwrap() });
    }

    fn committed(&self, topic: &str) -> Vec<Option<u64>> {
        block_on(async { self.broker.committed("g", topic).await.unwrap() })
    }

    fn reset(&self, topic: &str, offsets: &[(u32, u64)]) {
        block_on(async { self.broker.reset("g", topic, offsets).await.unwrap() });
    }

    fn delete_before(&self, topic: &str, offset: u64) {
        block_on(async { self.broker.delete_before(topic, 0, offset).await.unwrap() });
    }

    /// All of partition 0.
    fn records(&self, topic: &str) -> Vec<LogRecord> {
        block_on(async {
            let bounds = self.broker.bounds(topic).await.unwrap()[0];
            let mut cursor = self.broker.cursor(topic, &[(0, bounds.earliest)]).unwrap();
            let fetched = cursor.fetch(10_000, Duration::ZERO).await.unwrap();
            fetched.map_or(Vec::new(), |fetched| fetched.records)
        })
    }

    fn checked(&self) -> Checked {
        Checked::new(self.broker.clone())
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn bounded(topic: &str) -> LogSpoutSettings {
    LogSpoutSettings { bounded: true, ..unbounded(topic) }
}

fn unbounded(topic: &str) -> LogSpoutSettings {
    LogSpoutSettings::new(topic, GroupSettings::new("g"))
}

/// Hands records on.
#[derive(Clone)]
struct Pass;

impl Bolt for Pass {
    type In = LogRecord;
    type Out = LogRecord;

    async fn execute(&mut self, record: &LogRecord, out: &mut Emitter<LogRecord>) -> Result<()> {
        out.emit(record.clone());
        Ok(())
    }
}

/// Takes some time, then keeps count.
#[derive(Clone)]
struct Store(Stored, Duration);

impl Sink for Store {
    type In = LogRecord;

    async fn write(&mut self, rows: &[&LogRecord]) -> Result<Rejected> {
        if !self.1.is_zero() {
            tokio::time::sleep(self.1).await;
        }
        let mut stored = self.0.lock().unwrap();
        rows.iter().for_each(|row| *stored.entry((row.origin.partition, row.origin.offset)).or_default() += 1);
        Ok(Rejected::none())
    }
}

/// `spout → pass → store`, where a write takes `pause`.
fn topology(spout: LogSpout, tasks: usize, stored: &Stored, pause: Duration) -> Topology {
    let t = Topology::new("log");
    t.spout_with("log", Tuning::default().parallelism(tasks), spout)
        .shuffle()
        .bolt("pass", Pass)
        .shuffle()
        .sink("store", Store(stored.clone(), pause));
    t
}

/// The same over a checked log.
fn over(checked: &Checked, settings: LogSpoutSettings) -> Topology {
    over_gated(checked, settings, Vec::new())
}

fn over_gated(checked: &Checked, settings: LogSpoutSettings, gates: Vec<Arc<dyn Gate>>) -> Topology {
    let spout = LogSpout::new(Arc::new(checked.clone()), settings);
    let spout = gates.into_iter().fold(spout, LogSpout::gated);
    topology(spout, 1, &checked.stored, Duration::ZERO)
}

/// Offsets of partition 0 that were stored, in order.
fn offsets(stored: &Stored) -> Vec<u64> {
    stored.lock().unwrap().keys().filter(|(partition, _)| *partition == 0).map(|(_, offset)| *offset).collect()
}

/// Offsets of partition 0, how often each was stored.
fn counts(stored: &Stored) -> Vec<u32> {
    stored.lock().unwrap().values().copied().collect()
}
