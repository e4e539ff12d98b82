//! What holds for a spill and the producer over it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod kill;
mod outages;
mod spilled;
mod synced;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{DurableProducer, DurableSettings, SpillSettings};
use crate::broker::{Append, BrokerError, Position, Producer};
use crate::guard::Clock;
use crate::service::http::Deadline;
use crate::topology::BoxFuture;

/// A log in memory that goes away and comes back.
#[derive(Default)]
struct Log {
    records: Mutex<Vec<(String, Append)>>,
    away: AtomicBool,
    hangs: AtomicBool,
    calls: AtomicUsize,
    /// Largest value that it takes; 0 = any.
    largest: AtomicUsize,
    /// For the next calls: whether the records are taken although the call fails.
    unknown: Mutex<VecDeque<bool>>,
}

impl Log {
    fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn hangs(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn texts(&self) -> Vec<String> {
        self.records.lock().unwrap().iter().map(|(_, record)| text(record)).collect()
    }

    async fn take(&self, topic: &str, records: Vec<Append>) -> Result<Vec<Position>, BrokerError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let limit = self.largest.load(Ordering::SeqCst);
        let sizes = records.iter().map(|record| record.value.as_ref().map_or(0, |value| value.len()));
        if let Some(size) = sizes.max().filter(|size| limit > 0 && *size > limit) {
            return Err(BrokerError::TooLarge { size, limit });
        }
        let unknown = self.unknown.lock().unwrap().pop_front();
        if unknown.unwrap_or(!self.away.load(Ordering::SeqCst)) {
            let at = |_| Position { partition: 0, offset: 0 };
            let positions = (0..records.len()).map(at).collect();
            self.records.lock().unwrap().extend(records.into_iter().map(|record| (topic.to_owned(), record)));
            if unknown.is_none() {
                return Ok(positions);
            }
        }
        Err(BrokerError::Unreachable { address: "here".into(), reason: "away".into() })
    }
}

/// The log as a producer.
struct ToLog(Arc<Log>);

impl Producer for ToLog {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        Box::pin(self.0.take(topic, records))
    }
}

fn record(value: impl Into<String>) -> Append {
    Append { key: Some("k".into()), value: Some(value.into().into()), ..Append::default() }
}

fn text(record: &Append) -> String {
    String::from_utf8(record.value.as_deref().unwrap().to_vec()).unwrap()
}

/// A spill that does not wait for the disk: its writes are made by the task that asks, so that paused time works.
fn settings(dir: &Path) -> SpillSettings {
    SpillSettings { sync: false, ..SpillSettings::new(dir.join("spill")) }
}

async fn durable(log: &Arc<Log>, settings: SpillSettings) -> DurableProducer {
    let producer = Arc::new(ToLog(log.clone()));
    DurableProducer::open(producer, DurableSettings::new(settings), Clock::at(1_000_000)).await.unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

/// Waits, on paused time, until it is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// Bytes that the files of a folder take on the disk.
fn disk(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => bytes += disk(&path),
            Ok(found) => bytes += found.blocks() * 512,
            // It was removed meanwhile.
            Err(_) => {}
        }
    }
    bytes
}
