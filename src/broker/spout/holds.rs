//! Partitions from which no fresh records come for a while.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::LogSpout;
use crate::topology::Result;

/// What records are waiting for that were read and not let on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A gate, or its change.
    Gate,
    /// Another careful run of this process.
    Turn,
    /// A seek: what is to be read next is not in the log.
    Gap,
}

/// Which partitions are paused, and until when those wait whose records were not let on.
#[derive(Debug, Default)]
pub(super) struct Holds {
    waits: BTreeMap<u32, (Instant, Cause)>,
    paused: BTreeSet<u32>,
}

impl Holds {
    pub(super) fn wait(&mut self, partition: u32, due: Instant, cause: Cause) {
        self.waits.insert(partition, (due, cause));
    }

    /// Whatever the partition waits for, it is looked at again.
    pub(super) fn end_wait(&mut self, partition: u32) {
        self.waits.remove(&partition);
    }

    /// Ends waits that are over.
    pub(super) fn expire(&mut self, now: Instant) {
        self.waits.retain(|_, (due, _)| *due > now);
    }

    /// Ends all waits for gates.
    pub(super) fn gates_changed(&mut self) {
        self.waits.retain(|_, (_, cause)| *cause != Cause::Gate);
    }

    /// When the next wait is over.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waits.values().map(|(due, _)| *due).min()
    }

    /// Partitions whose records wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u32> {
        self.waits.keys().copied()
    }

    /// The partition is paused now; `false` when it was already.
    pub(super) fn pause(&mut self, partition: u32) -> bool {
        self.paused.insert(partition)
    }

    /// Whether no fresh records come of it.
    pub(super) fn is_paused(&self, partition: u32) -> bool {
        self.paused.contains(&partition)
    }

    /// Those that are paused and are not `wanted` so any more.
    pub(super) fn take_unwanted(&mut self, wanted: &BTreeSet<u32>) -> Vec<u32> {
        let over: Vec<u32> = self.paused.difference(wanted).copied().collect();
        self.paused.retain(|partition| wanted.contains(partition));
        over
    }

    /// Whether nothing waits and nothing is paused.
    pub(super) fn is_empty(&self) -> bool {
        self.waits.is_empty() && self.paused.is_empty()
    }

    /// Partitions are no longer ours to pause.
    pub(super) fn forget(&mut self, partitions: &[u32]) {
        self.waits.retain(|partition, _| !partitions.contains(partition));
        self.paused.retain(|partition| !partitions.contains(partition));
    }
}

impl LogSpout {
    /// The fresh records of a partition wait; reading goes on where it is.
    pub(super) fn hold_back(&mut self, partition: u32, due: Instant, cause: Cause) -> Result<()> {
        self.holds.wait(partition, due, cause);
        match self.ours.next(partition) {
            Some(next) => self.pause_at(partition, next),
            None => Ok(()),
        }
    }

    /// Pauses a partition, to be read from `at` when nothing holds it back any more.
    pub(super) fn pause_at(&mut self, partition: u32, at: u64) -> Result<()> {
        self.holds.pause(partition);
        Ok(self.consumer().pause(partition, at)?)
    }

    /// Pauses the partitions that have something to wait for, and resumes those that have not any more.
    pub(super) fn settle_holds(&mut self) -> Result<()> {
        let mut wanted: BTreeSet<u32> =
            self.replays.partitions().chain(self.care.unnoted()).chain(self.moves.partitions()).collect();
        if wanted.is_empty() && self.holds.is_empty() {
            return Ok(());
        }
        wanted.extend(self.holds.waiting());
        let revoking = self.revoking.as_deref().unwrap_or_default();
        wanted.retain(|partition| self.ours.of(*partition).is_some() && !revoking.contains(partition));
        for &partition in &wanted {
            if self.holds.pause(partition)
                && let Some(next) = self.ours.next(partition)
            {
                self.consumer().pause(partition, next)?;
            }
        }
        for partition in self.holds.take_unwanted(&wanted) {
            self.consumer().resume(partition)?;
        }
        Ok(())
    }
}
