//! Where trees report that they settled, until their spout's loop looks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::topology::{Failure, Ledger, Ticket};

/// The ledger of one spout task.
pub(super) struct SpoutLedger {
    name: String,
    settled: Mutex<Vec<(Ticket, Option<Failure>)>>,
    wake: Notify,
}

impl SpoutLedger {
    pub(super) fn new(name: String) -> Self {
        Self { name, settled: Mutex::default(), wake: Notify::new() }
    }

    /// Moves what has settled into `into`, which must be empty.
    pub(super) fn take(&self, into: &mut Vec<(Ticket, Option<Failure>)>) {
        std::mem::swap(&mut *self.lock(), into);
    }

    /// Waits until something has settled since the last wait.
    pub(super) async fn changed(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Ticket, Option<Failure>)>> {
        // Nothing panics while it is held; a poisoned list would still be whole.
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for SpoutLedger {
    fn settled(&self, ticket: Ticket, failed: Option<Failure>) {
        self.lock().push((ticket, failed));
        self.wake.notify_one();
    }

    fn name(&self) -> &str {
        &self.name
    }
}
