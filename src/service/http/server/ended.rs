//! What a server did.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What a server did until it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Connections that it took.
    pub connections: u64,
    /// Requests that it began.
    pub requests: u64,
    /// Requests that still ran, or whose answers were still being taken, when the time to stop was up; they were dropped.
    pub abandoned_requests: usize,
    /// Connections that were still open then.
    pub abandoned_connections: usize,
}

/// The same, while it goes on.
#[derive(Debug, Default)]
pub(super) struct Tally {
    connections: AtomicU64,
    requests: AtomicU64,
    running: AtomicUsize,
}

impl Tally {
    pub(super) fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn begin(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, abandoned_connections: usize) -> Ended {
        Ended {
            connections: self.connections.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            abandoned_requests: self.running.load(Ordering::Relaxed),
            abandoned_connections,
        }
    }
}
