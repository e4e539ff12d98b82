//! The partitions that are ours, and what is in flight of each.

use std::collections::BTreeMap;

use super::phase::{Phase, Suspect};
use crate::broker::{Commit, Note};
use crate::topology::Outcome;

/// A run in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InFlight {
    /// First offset of the run.
    pub(crate) start: u64,
    /// Times that its records were delivered before.
    pub(crate) attempt: u32,
    /// Whether it is one record of a run that comes again record by record.
    pub(crate) single: bool,
}

/// One assigned partition.
#[derive(Debug)]
pub(super) struct Assigned {
    /// What the group calls the assignment.
    granted: u32,
    /// What the runtime is told: another one also after a seek.
    pub(super) epoch: u32,
    /// Number of the last seek.
    pub(super) seek: u64,
    /// Offset of the next fresh record.
    pub(super) next: u64,
    /// Position below which everything is settled, or was when the partition was assigned.
    pub(super) floor: u64,
    /// Whether it is known to the log that the partition is being read.
    pub(super) noted: bool,
    /// Whether nobody else may know where it begins: the group does not begin at the oldest record.
    pub(super) begins: bool,
    pub(super) phase: Phase,
    /// The careful run that is under way, or is to come again.
    pub(super) suspect: Option<Suspect>,
    watermark: Option<u64>,
    committed: Option<u64>,
    in_flight: BTreeMap<u64, InFlight>,
}

impl Assigned {
    /// What a commit of what is settled says while the partition is being read.
    pub(super) fn note(&self) -> Note {
        match (self.suspect, &self.phase) {
            (Some(suspect), _) if self.floor <= suspect.start => suspect.note,
            (Some(suspect), _) if self.floor < suspect.end => Note::Batchwise,
            (_, Phase::Singly { .. }) if !self.phase.is_over(self.floor) => Note::Batchwise,
            _ => Note::Open,
        }
    }

    /// A commit of what is settled.
    pub(super) fn commit(&self, partition: u32) -> Commit {
        Commit { seek: self.seek, ..Commit::clean(partition, self.floor) }
    }

    /// What is said to the heir when the partition is given back: no death is to be blamed on anything, and what was
    /// suspect when it came still is.
    fn farewell(&self) -> Note {
        if self.suspect.is_none() && self.phase.is_over(self.next) {
            return Note::Clean;
        }
        match self.phase {
            Phase::Normal => Note::Clean,
            Phase::Batchwise { .. } => Note::Open,
            Phase::Singly { at, deaths: 1.., .. } if self.floor == at => self.phase.inherited(),
            Phase::Singly { .. } => Note::Batchwise,
        }
    }
}

/// All assigned partitions.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    partitions: BTreeMap<u32, Assigned>,
    last_epoch: u32,
}

impl Assignment {
    /// A partition is ours, by the group's epoch `granted`, and stands as of this seek.
    pub(super) fn assign(&mut self, partition: u32, granted: u32, next: u64, phase: Phase, seek: u64) {
        self.last_epoch += 1;
        let assigned = Assigned {
            granted,
            epoch: self.last_epoch,
            seek,
            next,
            floor: next,
            noted: false,
            begins: false,
            phase,
            suspect: None,
            watermark: None,
            committed: None,
            in_flight: BTreeMap::new(),
        };
        self.partitions.insert(partition, assigned);
    }

    /// A partition goes on elsewhere: what was in flight of it is forgotten. The log knows that it is being read.
    pub(super) fn seek(&mut self, partition: u32, offset: u64, seek: u64) {
        let Some(granted) = self.of(partition).map(|assigned| assigned.granted) else { return };
        self.assign(partition, granted, offset, Phase::Normal, seek);
        if let Some(assigned) = self.of_mut(partition) {
            (assigned.noted, assigned.committed) = (true, Some(offset));
        }
    }

    pub(super) fn remove(&mut self, partitions: &[u32]) {
        self.partitions.retain(|partition, _| !partitions.contains(partition));
    }

    pub(super) fn of(&self, partition: u32) -> Option<&Assigned> {
        self.partitions.get(&partition)
    }

    pub(super) fn of_mut(&mut self, partition: u32) -> Option<&mut Assigned> {
        self.partitions.get_mut(&partition)
    }

    /// The epoch of a partition that is ours.
    pub(super) fn epoch(&self, partition: u32) -> Option<u32> {
        self.of(partition).map(|assigned| assigned.epoch)
    }

    /// The epoch of a partition that is ours by the group's epoch `granted`.
    pub(super) fn epoch_of(&self, partition: u32, granted: u32) -> Option<u32> {
        self.of(partition).filter(|assigned| assigned.granted == granted).map(|assigned| assigned.epoch)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Assigned)> {
        self.partitions.iter().map(|(partition, assigned)| (*partition, assigned))
    }

    /// A run is under way. A fresh one begins where the last one ended, so that holes belong to the run after them.
    pub(super) fn send(&mut self, partition: u32, end: u64, replayed: Option<InFlight>) {
        let Some(assigned) = self.partitions.get_mut(&partition) else { return };
        let run = replayed.unwrap_or(InFlight { start: assigned.next, attempt: 0, single: false });
        assigned.next = assigned.next.max(end);
        assigned.in_flight.insert(end, run);
    }

    /// A run is over. `None` when it belongs to an assignment that is gone.
    pub(super) fn settle(&mut self, outcome: &Outcome) -> Option<InFlight> {
        let assigned =
            self.partitions.get_mut(&outcome.partition).filter(|assigned| assigned.epoch == outcome.epoch)?;
        assigned.watermark = assigned.watermark.max(outcome.watermark);
        assigned.floor = assigned.floor.max(assigned.watermark.unwrap_or(0));
        assigned.in_flight.remove(&outcome.end)
    }

    /// The suspect of this partition is about to go out, with a commit at its first record.
    pub(super) fn suspect(&mut self, partition: u32, suspect: Suspect) {
        if let Some(assigned) = self.partitions.get_mut(&partition) {
            assigned.floor = assigned.floor.max(suspect.start);
            assigned.committed = assigned.committed.max(Some(suspect.start));
            assigned.suspect = Some(suspect);
        }
    }

    /// Partitions whose suspect has settled since they were last taken.
    pub(super) fn take_cleared(&mut self) -> Vec<u32> {
        let cleared = self.partitions.iter_mut().filter_map(|(partition, assigned)| {
            assigned.suspect.take_if(|suspect| suspect.end <= assigned.floor).map(|_| *partition)
        });
        cleared.collect()
    }

    /// Whether a careful run is under way or to come again.
    pub(super) fn has_suspect(&self) -> bool {
        self.partitions.values().any(|assigned| assigned.suspect.is_some())
    }

    /// Partitions whose records go out one by one.
    pub(super) fn singly(&self) -> impl Iterator<Item = u32> {
        let singly = |assigned: &Assigned| matches!(assigned.phase, Phase::Singly { .. });
        let careful = self
            .partitions
            .iter()
            .filter(move |(_, assigned)| singly(assigned) && !assigned.phase.is_over(assigned.next));
        careful.map(|(partition, _)| *partition)
    }

    /// Whether nothing at all is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.partitions.values().all(|assigned| assigned.in_flight.is_empty())
    }

    /// Whether nothing of these partitions is in flight.
    pub(super) fn is_drained(&self, partitions: &[u32]) -> bool {
        partitions
            .iter()
            .filter_map(|partition| self.partitions.get(partition))
            .all(|assigned| assigned.in_flight.is_empty())
    }

    /// Commits of the watermarks that moved since they were last taken.
    pub(super) fn take_commits(&mut self) -> Vec<Commit> {
        let moved = self.partitions.iter_mut().filter_map(|(partition, assigned)| {
            let watermark = assigned.watermark.filter(|_| assigned.watermark > assigned.committed)?;
            assigned.committed = Some(watermark);
            Some(Commit { note: assigned.note(), ..assigned.commit(*partition) })
        });
        moved.collect()
    }

    /// The last commits of all partitions or of some that are given back, whether they moved or not.
    pub(super) fn farewells(&self, only: Option<&[u32]>) -> Vec<Commit> {
        let wanted =
            self.partitions.iter().filter(|(partition, _)| only.is_none_or(|only| only.contains(partition)));
        let told = |assigned: &Assigned| assigned.noted || assigned.begins || assigned.watermark.is_some();
        let touched = wanted.filter(|(_, assigned)| told(assigned));
        let farewell = |(partition, assigned): (&u32, &Assigned)| Commit {
            note: assigned.farewell(),
            ..assigned.commit(*partition)
        };
        touched.map(farewell).collect()
    }

    /// What was taken may not have been committed: all of it is taken again.
    pub(super) fn commit_again(&mut self) {
        self.partitions.values_mut().for_each(|assigned| assigned.committed = None);
    }

    /// Whether no partition is ours.
    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Offset of the next fresh record of a partition that is ours.
    pub(super) fn next(&self, partition: u32) -> Option<u64> {
        self.partitions.get(&partition).map(|assigned| assigned.next)
    }

    /// Offsets of the next fresh records, by partition.
    pub(super) fn positions(&self) -> impl Iterator<Item = (u32, u64)> {
        self.partitions.iter().map(|(partition, assigned)| (*partition, assigned.next))
    }
}

#[cfg(test)]
mod tests;
