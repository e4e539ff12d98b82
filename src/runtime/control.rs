//! How a run is told to stop, and why it did.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::topology::Error;

/// Asks a run to stop: spouts pull no more, what is in flight drains. Cheap to clone, callable from anywhere.
#[derive(Clone)]
pub struct Stop(pub(super) Arc<Control>);

impl Stop {
    /// Asks for a graceful stop; again has no effect.
    pub fn stop(&self) {
        self.0.drain();
    }
}

/// The state of a run that all its tasks share.
pub(super) struct Control {
    draining: watch::Sender<bool>,
    fatal: Mutex<Option<(String, Error)>>,
}

impl Control {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { draining: watch::Sender::new(false), fatal: Mutex::default() })
    }

    pub(super) fn drain(&self) {
        self.draining.send_if_modified(|draining| !std::mem::replace(draining, true));
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Resolves when the run is to stop.
    pub(super) async fn draining(&self) {
        // The sender lives as long as `self`: it cannot have closed.
        let mut draining = self.draining.subscribe();
        let _open = draining.wait_for(|draining| *draining).await;
    }

    /// Stops the run for `error`; the first one is the cause.
    pub(super) fn fail(&self, operator: &str, error: Error) {
        tracing::error!(operator, error = %error, "the run must stop");
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((operator.to_owned(), error));
        self.drain();
    }

    pub(super) fn take_fatal(&self) -> Option<(String, Error)> {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
