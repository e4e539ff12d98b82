//! What the log acknowledged: the producer's own record of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use squall::broker::Position;

use super::support::verify::demand::Seen;

/// A record that an append answered for.
#[derive(Debug, Clone, Copy)]
struct Entry {
    position: Position,
    /// User and event, and when it occurred; `None` for a record that does not decode.
    version: Option<(u128, i64)>,
}

/// Shared by all that append.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Entry>>);

impl Ledger {
    /// Notes records that are durable.
    pub(crate) fn note(&self, acknowledged: impl IntoIterator<Item = (Position, Option<(u128, i64)>)>) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.extend(acknowledged.into_iter().map(|(position, version)| Entry { position, version }));
    }

    /// Distinct records, and the sum of the times of their newest versions: a table that holds no less has them all.
    pub(crate) fn newest(&self) -> (u64, i128) {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest: HashMap<u128, i64> = HashMap::new();
        for (key, at) in entries.iter().filter_map(|entry| entry.version) {
            let known = newest.entry(key).or_insert(at);
            *known = at.max(*known);
        }
        (newest.len() as u64, newest.values().map(|at| i128::from(*at)).sum())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// To be compared with the log.
    pub(crate) fn audit(&self) -> Audit {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let by_place = |entry: &Entry| ((entry.position.partition, entry.position.offset), entry.version);
        Audit { open: entries.iter().map(by_place).collect(), altered: 0 }
    }
}

/// Crosses off what is found in the log.
#[derive(Debug)]
pub(crate) struct Audit {
    open: HashMap<(u32, u64), Option<(u128, i64)>>,
    altered: u64,
}

impl Audit {
    pub(crate) fn see(&mut self, seen: &Seen) {
        if let Some(version) = self.open.remove(&(seen.partition, seen.offset)) {
            self.altered += u64::from(version != seen.version);
        }
    }

    /// Acknowledged records that are not in the log at their place, or not as they were acknowledged.
    pub(crate) fn lost(&self) -> u64 {
        self.open.len() as u64 + self.altered
    }
}
