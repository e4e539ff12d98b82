//! The primitives under the ack tree, replaced by loom's when it explores their interleavings.

#[cfg(loom)]
pub(super) use loom::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
#[cfg(not(loom))]
pub(super) use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
