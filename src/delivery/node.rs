//! What is known of one node of a sink's store.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::drain::Drain;
use super::state::{Accepts, lock};
use super::{DeliverySettings, SinkSettings};
use crate::guard::{BreakerState, SharedBreaker};

/// A store has one node, or several that hold a part of the rows each and fail each by itself: every node has a breaker,
/// and parked records of its own.
#[derive(Debug)]
pub(super) struct NodeState {
    breaker: SharedBreaker,
    breaker_changes: AtomicU64,
    drain: Mutex<Drain>,
    /// When the next record may come back to try the node, and how long the one after it waits.
    next_probe: Mutex<Duration>,
    /// When a row was stored last, in milliseconds since the Unix epoch.
    stored_at_ms: AtomicI64,
}

impl NodeState {
    pub(super) fn new(common: &DeliverySettings, own: &SinkSettings) -> Self {
        Self {
            breaker: SharedBreaker::new(own.breaker),
            breaker_changes: AtomicU64::new(0),
            drain: Mutex::new(Drain::new(common.drain_per_second, common.ramp_step)),
            next_probe: Mutex::default(),
            stored_at_ms: AtomicI64::new(i64::MIN),
        }
    }

    pub(super) fn breaker(&self) -> &SharedBreaker {
        &self.breaker
    }

    /// What its breaker lets through; a change since the last call is logged.
    pub(super) fn accepts(&self, sink: &str, node: usize, now: Duration) -> Accepts {
        let status = self.breaker.status(now);
        if self.breaker_changes.swap(status.changes, Ordering::Relaxed) != status.changes {
            let reason = &status.reason;
            tracing::warn!(sink, node, state = %status.state, reason, "the breaker changed");
        }
        match status.state {
            BreakerState::Closed => Accepts::Rows,
            BreakerState::HalfOpen => Accepts::Probes,
            BreakerState::Open => Accepts::Nothing,
        }
    }

    /// Whether a row was stored at that time or later, in milliseconds since the Unix epoch.
    pub(super) fn has_stored_since(&self, unix_ms: i64) -> bool {
        self.stored_at_ms.load(Ordering::Relaxed) >= unix_ms
    }

    /// Rows were stored.
    pub(super) fn stored(&self, unix_ms: i64) {
        self.stored_at_ms.fetch_max(unix_ms, Ordering::Relaxed);
    }

    /// How many records may come back now to try a node that takes [`Accepts::Probes`], and when there may be more. One a
    /// look: the breaker refuses those that come while a probe is under way, and what is refused is parked again.
    pub(super) fn allow_probe(&self, now: Duration, look: Duration) -> (usize, Duration) {
        let mut next = lock(&self.next_probe);
        if now < *next {
            return (0, *next - now);
        }
        *next = now + look;
        (1, look)
    }

    /// How many of `want` parked records may go now, and when there may be more.
    pub(super) fn allow_parked(&self, now: Duration, want: usize) -> (usize, Duration) {
        lock(&self.drain).allow(now, want)
    }

    /// It takes nothing: parked records come back slowly again, once it does.
    pub(super) fn shut(&self) {
        lock(&self.drain).shut();
    }
}
