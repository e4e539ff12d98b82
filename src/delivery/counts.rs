//! What became of rows.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// What became of rows since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that came back from a retry level or from the parked ones and were stored.
    pub recovered: u64,
    /// Rows that were written to a retry level.
    pub retried: u64,
    /// Rows that were parked because the sink takes none.
    pub parked: u64,
    /// Rows that went to the dead letters.
    pub dead: u64,
}

/// [`Counts`] that many tasks add to.
#[derive(Debug, Default)]
pub(super) struct Counters {
    recovered: AtomicU64,
    retried: AtomicU64,
    parked: AtomicU64,
    dead: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            recovered: read(&self.recovered),
            retried: read(&self.retried),
            parked: read(&self.parked),
            dead: read(&self.dead),
        }
    }

    pub(super) fn recovered(&self, rows: usize) {
        add(&self.recovered, rows);
    }

    pub(super) fn retried(&self, rows: usize) {
        add(&self.retried, rows);
    }

    pub(super) fn parked(&self, rows: usize) {
        add(&self.parked, rows);
    }

    pub(super) fn dead(&self, rows: usize) {
        add(&self.dead, rows);
    }
}

fn add(count: &AtomicU64, rows: usize) {
    count.fetch_add(rows as u64, Ordering::Relaxed);
}
