//! Whether a spout may read.

use std::time::Duration;

use tokio::sync::watch;

use crate::broker::{Admission, Gate, LogRecord};
use crate::topology::BoxFuture;

/// A paused spout is asked again after this long, though it hears of a change at once.
const LOOK: Duration = Duration::from_secs(60);

/// A handle on whether a spout may read. Clones are the same handle; reading it is cheap.
#[derive(Debug, Clone)]
pub struct Running {
    sender: watch::Sender<bool>,
    receiver: watch::Receiver<bool>,
}

impl Running {
    /// A handle of its own.
    pub fn new(running: bool) -> Self {
        let (sender, receiver) = watch::channel(running);
        Self { sender, receiver }
    }

    /// Whether it may read.
    pub fn is_running(&self) -> bool {
        *self.sender.borrow()
    }

    /// Whether it may not.
    pub fn is_paused(&self) -> bool {
        !self.is_running()
    }

    /// Tells all clones.
    pub fn set(&self, running: bool) {
        self.sender.send_if_modified(|now| std::mem::replace(now, running) != running);
    }

    /// Waits until it is told something else than this clone has seen. Cancel-safe.
    pub async fn changed(&mut self) {
        self.receiver.changed().await.expect("the sender lives as long as this handle");
    }

    /// Waits until [`is_running`](Self::is_running) says `running`; at once if it does. Cancel-safe.
    pub async fn until(&self, running: bool) {
        let mut receiver = self.sender.subscribe();
        let reached = receiver.wait_for(|now| *now == running).await;
        drop(reached.expect("the sender lives as long as this handle"));
    }
}

/// Holds every record back while the spout is paused.
impl Gate for Running {
    fn admit(&self, _records: &[LogRecord]) -> Admission {
        if self.is_running() { Admission::all() } else { Admission::some(0, LOOK) }
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        let other = !self.is_running();
        Box::pin(self.until(other))
    }
}
