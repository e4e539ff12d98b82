//! How the jobs stand, for measurements.

use std::sync::{Arc, OnceLock, Weak};

use super::desk::Desk;
use super::{Entry, Status};

/// For how long a job that has ended is still told of, in milliseconds: whoever looks once a minute sees its end.
const REMEMBERED_MS: i64 = 3_600_000;

/// The jobs as a [`BackfillSpout`](super::BackfillSpout) knows them, without asking anybody. Cheap to clone; it keeps
/// nothing going.
#[derive(Clone, Default)]
pub struct BackfillMetrics(Weak<OnceLock<Desk>>);

impl BackfillMetrics {
    pub(super) fn of(desk: &Arc<OnceLock<Desk>>) -> Self {
        Self(Arc::downgrade(desk))
    }

    /// The jobs that go on, and those that were finished within the last hour, in the order of creation. None before the
    /// spout runs and has read them, and none after its end.
    pub fn snapshot(&self) -> Vec<Status> {
        let Some(cell) = self.0.upgrade() else { return Vec::new() };
        let Some(desk) = cell.get().filter(|desk| *desk.watch().borrow() > 0) else { return Vec::new() };
        let now_ms = desk.now_ms();
        let is_told_of = |entry: &&Entry| match entry.finished_ms() {
            Some(finished_ms) => finished_ms.saturating_add(REMEMBERED_MS) > now_ms,
            None => !entry.is_over(),
        };
        desk.look(|ledger| ledger.jobs().filter(is_told_of).map(|entry| Status::of(entry, now_ms)).collect())
    }

    /// Whether this process has them rest because the live stream is behind.
    pub fn rest_for_live(&self) -> bool {
        self.0.upgrade().is_some_and(|cell| cell.get().is_some_and(Desk::is_live_behind))
    }

    /// Whether its spout is gone.
    pub fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl std::fmt::Debug for BackfillMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackfillMetrics").finish_non_exhaustive()
    }
}
