//! A spout's side.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::Sought;
use crate::broker::{BrokerError, Gap, Seek, Seeks};
use crate::control::workers::{CursorStanding, PartitionStanding};
use crate::topology::BoxFuture;

/// Keeps a gap of a partition of this topic somewhere durable, and where reading goes on.
pub(in crate::control) type Keep =
    Arc<dyn Fn(String, u32, Gap, u64) -> BoxFuture<'static, Result<(), BrokerError>> + Send + Sync>;

/// What is wanted of a spout, and how its partitions stand in this process.
pub(in crate::control) struct Board {
    spout: String,
    topic: String,
    group: String,
    wanted: watch::Sender<BTreeMap<u32, Seek>>,
    /// With the task that said so last.
    standing: Mutex<BTreeMap<u32, (u64, PartitionStanding)>>,
}

impl Board {
    pub(in crate::control) fn new(spout: &str, topic: &str, group: &str) -> Self {
        let (spout, topic, group) = (spout.to_owned(), topic.to_owned(), group.to_owned());
        Self { spout, topic, group, wanted: watch::Sender::default(), standing: Mutex::default() }
    }

    pub(in crate::control) fn spout(&self) -> &str {
        &self.spout
    }

    /// Takes the newest seeks of its partitions over.
    pub(in crate::control) fn want_of(&self, sought: &Sought) {
        let seeks = sought.of(&self.spout, &self.topic, &self.group);
        self.wanted.send_if_modified(|wanted| {
            let other = *wanted != seeks;
            *wanted = seeks;
            other
        });
    }

    /// Whether the partition is this process's.
    pub(in crate::control) fn has(&self, partition: u32) -> bool {
        self.partitions().contains_key(&partition)
    }

    /// How it stands, for a heartbeat.
    pub(in crate::control) fn standing(&self) -> CursorStanding {
        CursorStanding {
            spout: self.spout.clone(),
            topic: self.topic.clone(),
            group: self.group.clone(),
            partitions: self.partitions().values().map(|(_, standing)| *standing).collect(),
        }
    }

    fn partitions(&self) -> MutexGuard<'_, BTreeMap<u32, (u64, PartitionStanding)>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The [`Seeks`] of a spout: follows the control topic, and has the operator told.
pub(in crate::control) struct Steering {
    pub(in crate::control) board: Arc<Board>,
    /// Something is to be told before the next heartbeat.
    pub(in crate::control) tell: Arc<Notify>,
    pub(in crate::control) keep: Keep,
}

impl Seeks for Steering {
    fn wanted(&self, partition: u32, last: u64) -> Option<Seek> {
        self.board.wanted.borrow().get(&partition).copied().filter(|seek| seek.number > last)
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        let mut wanted = self.board.wanted.subscribe();
        // The sender is this very board's, so it cannot be gone.
        Box::pin(async move { wanted.changed().await.unwrap_or(()) })
    }

    fn stands(&self, task: u64, partition: u32, seek: u64) {
        self.board.partitions().insert(partition, (task, PartitionStanding { partition, seek, gap: None }));
        self.tell.notify_one();
    }

    fn gone(&self, task: u64, partition: u32) {
        let mut partitions = self.board.partitions();
        // Another task of this process may have it by now, and have said so first.
        if partitions.get(&partition).is_some_and(|(owner, _)| *owner == task) {
            partitions.remove(&partition);
        }
    }

    fn stopped(&self, partition: u32, gap: Gap) {
        if let Some((_, standing)) = self.board.partitions().get_mut(&partition) {
            standing.gap = Some(gap);
        }
        self.tell.notify_one();
    }

    fn passing(&self, partition: u32, gap: Gap, to: u64) -> BoxFuture<'static, Result<(), BrokerError>> {
        (self.keep)(self.board.topic.clone(), partition, gap, to)
    }
}
