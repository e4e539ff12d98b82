//! An operator who sends partitions elsewhere and hears of gaps, and runs that follow him.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::deaths::small;
use super::{Log, Stored, topology, unbounded};
use crate::broker::{
    Broker, BrokerError, ConsumerEvent, Gap, GroupSettings, LogSpout, LogSpoutSettings, Note, Seek, Seeks,
};
use crate::runtime::{Report, Stop};
use crate::testing::Trial;
use crate::topology::BoxFuture;

/// What an operator wants, and what he hears.
pub(super) struct Desk {
    pub(super) wanted: Mutex<BTreeMap<u32, Seek>>,
    changes: watch::Sender<()>,
    pub(super) stands: Mutex<BTreeMap<u32, u64>>,
    pub(super) stopped: Mutex<Vec<(u32, Gap)>>,
    pub(super) passed: Arc<Mutex<Vec<(u32, Gap)>>>,
    /// This many times it fails to keep a gap.
    pub(super) fails: Arc<Mutex<u32>>,
    /// How long it takes to keep one: as a log does it, not at the first look.
    pub(super) takes: Mutex<Duration>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            wanted: Mutex::default(),
            changes: watch::channel(()).0,
            stands: Mutex::default(),
            stopped: Mutex::default(),
            passed: Arc::default(),
            fails: Arc::default(),
            takes: Mutex::new(Duration::from_millis(7)),
        }
    }
}

impl Desk {
    pub(super) fn want(&self, partition: u32, number: u64, offset: u64) {
        self.wanted.lock().unwrap().insert(partition, Seek { number, offset });
        self.changes.send_replace(());
    }

    pub(super) async fn until_all_stand(&self, number: u64, partitions: usize) {
        while self.stands.lock().unwrap().values().filter(|seek| **seek >= number).count() < partitions {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Seeks for Desk {
    fn wanted(&self, partition: u32, last: u64) -> Option<Seek> {
        self.wanted.lock().unwrap().get(&partition).copied().filter(|seek| seek.number > last)
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        let mut changes = self.changes.subscribe();
        Box::pin(async move { changes.changed().await.unwrap() })
    }

    fn stands(&self, _task: u64, partition: u32, seek: u64) {
        self.stands.lock().unwrap().insert(partition, seek);
    }

    fn gone(&self, _task: u64, partition: u32) {
        self.stands.lock().unwrap().remove(&partition);
    }

    fn stopped(&self, partition: u32, gap: Gap) {
        self.stopped.lock().unwrap().push((partition, gap));
    }

    fn passing(&self, partition: u32, gap: Gap, _to: u64) -> BoxFuture<'static, Result<(), BrokerError>> {
        let (fails, passed, takes) = (self.fails.clone(), self.passed.clone(), *self.takes.lock().unwrap());
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            let mut fails = fails.lock().unwrap();
            if *fails > 0 {
                *fails -= 1;
                return Err(BrokerError::UnknownTopic { topic: "audit".to_owned() });
            }
            passed.lock().unwrap().push((partition, gap));
            Ok(())
        })
    }
}

pub(super) fn spout(log: &Log, settings: LogSpoutSettings, desk: &Arc<Desk>) -> LogSpout {
    LogSpout::new(log.broker.clone(), settings).steered(desk.clone())
}

/// Runs until the script has ended, in order.
pub(super) fn run<F: Future<Output = ()>>(
    log: &Log,
    desk: &Arc<Desk>,
    stored: &Stored,
    pause_ms: u64,
    script: impl FnOnce() -> F,
) -> Report {
    let topology = topology(spout(log, unbounded("t"), desk), 1, stored, Duration::from_millis(pause_ms));
    Trial::default().settings(small()).run_with(topology, |stop: Stop| async move {
        script().await;
        stop.stop();
    })
}

pub(super) async fn until(done: impl Fn() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What a member of the group finds that joins now: offset, note and seek, by partition.
pub(super) fn found(log: &Log) -> Vec<(u64, Note, u64)> {
    super::block_on(async {
        let mut heir = log.broker.subscribe("t", &GroupSettings::new("g")).unwrap();
        match heir.poll(1).await.unwrap() {
            ConsumerEvent::Assigned(granted) => granted.iter().map(|g| (g.next, g.note, g.seek)).collect(),
            event => panic!("{event:?}"),
        }
    })
}
