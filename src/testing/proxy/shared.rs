//! What the handle and the thread of a proxy both see.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counters, and where connections lead.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) connections: Counter,
    pub(super) open: Counter,
    pub(super) passed: Counter,
    pub(super) swallowed: Counter,
    upstream: Mutex<Option<SocketAddr>>,
}

impl Shared {
    pub(super) fn upstream(&self) -> Option<SocketAddr> {
        *self.upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lead_to(&self, upstream: SocketAddr) {
        *self.upstream.lock().unwrap_or_else(PoisonError::into_inner) = Some(upstream);
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::AcqRel);
    }

    pub(super) fn take_back(&self, less: usize) {
        self.0.fetch_sub(less as u64, Ordering::AcqRel);
    }

    /// Adds one until the value that is returned goes.
    pub(super) fn hold(&self) -> Held<'_> {
        self.add(1);
        Held(self)
    }
}

pub(super) struct Held<'a>(&'a Counter);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.take_back(1);
    }
}
