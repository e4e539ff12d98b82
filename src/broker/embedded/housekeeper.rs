//! The thread that runs upkeep by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::failure::io_error;
use super::shared::{Shared, now_ms};
use super::upkeep;
use crate::broker::BrokerError;

/// Runs retention, compaction and sweeping on an interval until it is dropped.
pub(super) struct Housekeeper {
    shared: Arc<Shared>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Housekeeper {
    pub(super) fn start(shared: Arc<Shared>, interval: Duration) -> Result<Self, BrokerError> {
        let (stop, stopped) = channel();
        let worker = shared.clone();
        let thread = std::thread::Builder::new()
            .name("log-upkeep".into())
            .spawn(move || {
                while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = upkeep::run(&worker, now_ms()) {
                        tracing::warn!(%error, "upkeep of the embedded log failed; it is tried again");
                    }
                }
            })
            .map_err(|e| io_error("start a thread for", e, &shared.store.dir))?;
        Ok(Self { shared, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Upkeep ends at its next step; a panic in it has been reported by the panic hook.
            let _panicked = thread.join();
        }
    }
}
