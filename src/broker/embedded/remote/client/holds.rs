//! What the server is told of pauses.

use std::collections::{BTreeMap, BTreeSet};

use super::super::wire::{Hold, Reply};
use crate::broker::{BrokerError, ConsumerEvent};

/// Pauses and resumptions that the server is still to be told of, and the partitions of which an answer on its way
/// says nothing any more. At most one entry for each partition, however often it is paused.
#[derive(Default)]
pub(super) struct Holds {
    unsent: BTreeMap<u32, Hold>,
    /// Paused since the last poll was sent. What that poll brings of them comes again, or is not to come.
    stale: BTreeSet<u32>,
}

impl Holds {
    pub(super) fn pause(&mut self, partition: u32, epoch: u32, at: u64) {
        self.unsent.insert(partition, Hold { partition, epoch, at: Some(at), paused: true });
        self.stale.insert(partition);
    }

    pub(super) fn resume(&mut self, partition: u32, epoch: u32) {
        let resumed = Hold { partition, epoch, at: None, paused: false };
        self.unsent
            .entry(partition)
            .and_modify(|hold| {
                // What an earlier assignment was paused at does not concern this one.
                let at = hold.at.filter(|_| hold.epoch == epoch);
                *hold = Hold { at, ..resumed };
            })
            .or_insert(resumed);
    }

    /// What is to be sent now, if anything.
    pub(super) fn take(&mut self) -> Option<Vec<Hold>> {
        let holds: Vec<Hold> = std::mem::take(&mut self.unsent).into_values().collect();
        (!holds.is_empty()).then_some(holds)
    }

    /// Whether a poll that is sent now comes after all of them.
    pub(super) fn are_sent(&self) -> bool {
        self.unsent.is_empty()
    }

    /// A poll was sent after all of them: what it brings holds good. No earlier one is on its way.
    pub(super) fn polls_anew(&mut self) {
        self.stale.clear();
    }

    /// Whether the answer to the last poll is none of a partition that was paused since.
    pub(super) fn lets_pass(&self, answer: &Result<Reply, BrokerError>) -> bool {
        match answer {
            Ok(Reply::Event(ConsumerEvent::Records(fetched))) => !self.stale.contains(&fetched.partition),
            Err(BrokerError::OutOfRange { partition, .. }) => !self.stale.contains(partition),
            _ => true,
        }
    }
}
