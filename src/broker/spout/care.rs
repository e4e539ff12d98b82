//! What a task knows of its careful runs.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::phase::Suspect;
use crate::broker::{Fetched, Granted, Note};
use crate::topology::Result;

/// What concerns careful runs.
pub(super) struct Care {
    /// One permit for all tasks of the spout in this process: they would take each other's deaths for their own.
    pub(super) turns: Arc<Semaphore>,
    pub(super) turn: Option<OwnedSemaphorePermit>,
    /// A careful run that was read and is not sent yet.
    pub(super) pending: Option<Pending>,
    /// Partitions that came and are not looked at yet.
    pub(super) arriving: Vec<Granted>,
    /// Notes to be written at what is settled, by partition.
    pub(super) notes: Vec<(u32, Note)>,
    /// When notes may be written again.
    pub(super) again: Instant,
}

pub(super) struct Pending {
    pub(super) run: Fetched,
    pub(super) suspect: Suspect,
    /// The commit that goes before it is made.
    pub(super) noted: bool,
    /// It has killed its workers: it is being set aside.
    pub(super) letter: Option<JoinHandle<Result<()>>>,
}

impl Care {
    pub(super) fn new(turns: Arc<Semaphore>) -> Self {
        let again = Instant::now();
        Self { turns, turn: None, pending: None, arriving: Vec::new(), notes: Vec::new(), again }
    }

    /// What all tasks share.
    pub(super) fn turns(&self) -> Arc<Semaphore> {
        self.turns.clone()
    }

    /// Whether a run was read that is not sent yet.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Partitions whose note is not written.
    pub(super) fn unnoted(&self) -> impl Iterator<Item = u32> {
        self.notes.iter().map(|(partition, _)| *partition)
    }

    /// When notes are to be written.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.notes.is_empty()).then_some(self.again)
    }

    pub(super) fn note(&mut self, partition: u32, note: Note) {
        self.notes.retain(|(other, _)| *other != partition);
        self.notes.push((partition, note));
    }
}
