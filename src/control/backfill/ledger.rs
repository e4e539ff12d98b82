//! What comes of all that happened. Pure.

use std::collections::BTreeMap;

use super::{Entry, Event, Job};

/// All jobs and where they stand, folded from the records of the control topic and of the ledger. Whoever folds the same
/// records comes to the same result.
///
/// A claim is valid when its job is running, the chunk is free and fewer than [`Job::workers`] chunks are held, or the
/// chunk's lease is over or the same worker's. Everything else that a worker says counts only with the token of the
/// lease; progress never goes back, and a chunk is done only at its end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    jobs: BTreeMap<String, Entry>,
    /// Names in the order of creation.
    order: Vec<String>,
    /// Offset of the next record to fold.
    next: u64,
}

impl Ledger {
    /// A job was created, or its record says how it ended. Otherwise one of a known name changes nothing.
    pub fn add(&mut self, job: Job) {
        if let Some(known) = self.jobs.get_mut(&job.id).filter(|_| job.over.is_some()) {
            *known = Entry::new(job);
        } else if !self.jobs.contains_key(&job.id) {
            self.order.push(job.id.clone());
            self.jobs.insert(job.id.clone(), Entry::new(job));
        }
    }

    /// The records of jobs that are over and do not say so.
    pub(super) fn epitaphs(&self) -> Vec<Job> {
        self.jobs.values().filter_map(Entry::epitaph).collect()
    }

    /// Whether a job of this name was created.
    pub fn knows(&self, job: &str) -> bool {
        self.jobs.contains_key(job)
    }

    /// Takes the record at `offset` in; `None` is one that is no event. A record that was taken in before changes nothing.
    pub fn note(&mut self, offset: u64, event: Option<&Event>) {
        if offset < self.next {
            return;
        }
        self.next = offset + 1;
        if let Some(event) = event
            && let Some(entry) = self.jobs.get_mut(event.job())
        {
            entry.note(offset, event);
        }
    }

    /// Offset of the next record to fold.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// A job.
    pub fn job(&self, job: &str) -> Option<&Entry> {
        self.jobs.get(job)
    }

    /// All jobs, in the order of creation.
    pub fn jobs(&self) -> impl Iterator<Item = &Entry> {
        self.order.iter().filter_map(|job| self.jobs.get(job))
    }
}
