//! A limit that is changed while it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Limit;

/// A handle of a limit, or of none. All clones are of the same: one sets it, all limiters that have it follow. Reading it
/// is one load.
#[derive(Debug, Clone)]
pub struct LiveLimit(Arc<AtomicU64>);

impl LiveLimit {
    /// A handle of its own.
    pub fn new(limit: Option<Limit>) -> Self {
        Self(Arc::new(AtomicU64::new(packed(limit))))
    }

    /// The limit now; `None` when all may pass.
    pub fn limit(&self) -> Option<Limit> {
        let packed = self.0.load(Ordering::Relaxed);
        Limit::new((packed >> 32) as u32, packed as u32)
    }

    /// Changes it.
    pub fn set(&self, limit: Option<Limit>) {
        self.0.store(packed(limit), Ordering::Relaxed);
    }
}

/// Both numbers in one, so that nobody reads the rate of one limit and the burst of another; 0, which no limit is, for
/// none.
fn packed(limit: Option<Limit>) -> u64 {
    limit.map_or(0, |limit| u64::from(limit.per_second()) << 32 | u64::from(limit.burst()))
}
