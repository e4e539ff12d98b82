//! The server's `max_allowed_packet`.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store::StoreError;

/// The size as it was last asked for. A server cuts the connection at a larger statement, mostly before its refusal could
/// be read, so whoever goes by a size that has become smaller sees a broken connection at every attempt: after one the
/// size is asked for again.
#[derive(Debug, Default)]
pub(super) struct Packet(AtomicUsize);

impl Packet {
    pub(super) fn known(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }

    pub(super) fn learn(&self, bytes: usize) -> usize {
        self.0.store(bytes, Ordering::Relaxed);
        bytes
    }

    /// Forgets the size after an error that another size may explain.
    pub(super) fn doubt(&self, error: &StoreError) {
        if matches!(error, StoreError::Unreachable { .. } | StoreError::BadRow { .. }) {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}
