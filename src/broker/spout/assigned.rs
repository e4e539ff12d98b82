//! The partitions that are ours, and what is in flight of each.

use std::collections::BTreeMap;

use crate::topology::Outcome;

/// A run in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InFlight {
    /// First offset of the run.
    pub(super) start: u64,
    /// Times that its records were delivered before.
    pub(super) attempt: u32,
    /// Whether it is one record of a run that comes again record by record.
    pub(super) single: bool,
}

/// One assigned partition.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) epoch: u32,
    /// Offset of the next fresh record.
    pub(super) next: u64,
    watermark: Option<u64>,
    committed: Option<u64>,
    in_flight: BTreeMap<u64, InFlight>,
}

/// All assigned partitions.
#[derive(Debug, Default)]
pub(super) struct Assignment(BTreeMap<u32, Assigned>);

impl Assignment {
    pub(super) fn assign(&mut self, partition: u32, epoch: u32, next: u64) {
        let assigned = Assigned { epoch, next, watermark: None, committed: None, in_flight: BTreeMap::new() };
        self.0.insert(partition, assigned);
    }

    pub(super) fn remove(&mut self, partitions: &[u32]) {
        self.0.retain(|partition, _| !partitions.contains(partition));
    }

    /// The epoch of a partition that is ours.
    pub(super) fn epoch(&self, partition: u32) -> Option<u32> {
        self.0.get(&partition).map(|assigned| assigned.epoch)
    }

    /// A run is under way. A fresh one begins where the last one ended, so that holes belong to the run after them.
    pub(super) fn send(&mut self, partition: u32, end: u64, replayed: Option<InFlight>) {
        let Some(assigned) = self.0.get_mut(&partition) else { return };
        let run = replayed.unwrap_or(InFlight { start: assigned.next, attempt: 0, single: false });
        assigned.next = assigned.next.max(end);
        assigned.in_flight.insert(end, run);
    }

    /// A run is over. `None` when it belongs to an assignment that is gone.
    pub(super) fn settle(&mut self, outcome: &Outcome) -> Option<InFlight> {
        let assigned = self.0.get_mut(&outcome.partition).filter(|assigned| assigned.epoch == outcome.epoch)?;
        assigned.watermark = assigned.watermark.max(outcome.watermark);
        assigned.in_flight.remove(&outcome.end)
    }

    /// Whether nothing of these partitions is in flight.
    pub(super) fn is_drained(&self, partitions: &[u32]) -> bool {
        partitions
            .iter()
            .filter_map(|partition| self.0.get(partition))
            .all(|assigned| assigned.in_flight.is_empty())
    }

    /// Watermarks that moved since they were last taken.
    pub(super) fn take_commits(&mut self) -> Vec<(u32, u64)> {
        let moved = self.0.iter_mut().filter_map(|(partition, assigned)| {
            let watermark = assigned.watermark.filter(|_| assigned.watermark > assigned.committed)?;
            assigned.committed = Some(watermark);
            Some((*partition, watermark))
        });
        moved.collect()
    }

    /// Watermarks of all partitions or of some, whether they were taken or not.
    pub(super) fn watermarks(&self, only: Option<&[u32]>) -> Vec<(u32, u64)> {
        let wanted = self.0.iter().filter(|(partition, _)| only.is_none_or(|only| only.contains(partition)));
        wanted.filter_map(|(partition, assigned)| Some((*partition, assigned.watermark?))).collect()
    }

    /// What was taken may not have been committed: all of it is taken again.
    pub(super) fn commit_again(&mut self) {
        self.0.values_mut().for_each(|assigned| assigned.committed = None);
    }

    /// Whether no partition is ours.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Offset of the next fresh record of a partition that is ours.
    pub(super) fn next(&self, partition: u32) -> Option<u64> {
        self.0.get(&partition).map(|assigned| assigned.next)
    }

    /// Offsets of the next fresh records, by partition.
    pub(super) fn positions(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.iter().map(|(partition, assigned)| (*partition, assigned.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(end: u64, epoch: u32, watermark: u64) -> Outcome {
        Outcome { partition: 3, epoch, end, failed: None, isolated: false, watermark: Some(watermark) }
    }

    #[test]
    fn outcomes_of_an_old_assignment_are_ignored() {
        let mut ours = Assignment::default();
        ours.assign(3, 1, 100);
        ours.send(3, 110, None);
        ours.assign(3, 2, 100);
        assert_eq!(ours.settle(&outcome(110, 1, 110)), None);
        assert!(ours.take_commits().is_empty());
        ours.send(3, 105, None);
        assert_eq!(ours.settle(&outcome(105, 2, 105)), Some(InFlight { start: 100, attempt: 0, single: false }));
        assert_eq!(ours.take_commits(), [(3, 105)]);
        assert!(ours.take_commits().is_empty(), "a watermark is committed once");
    }

    #[test]
    fn a_partition_is_drained_when_its_own_runs_are_over() {
        let mut ours = Assignment::default();
        ours.assign(3, 1, 0);
        ours.assign(4, 1, 0);
        ours.send(3, 5, None);
        ours.send(4, 5, None);
        assert!(!ours.is_drained(&[3]));
        ours.settle(&outcome(5, 1, 5));
        assert!(ours.is_drained(&[3]));
        assert!(!ours.is_drained(&[3, 4]));
    }
}
