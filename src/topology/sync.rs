//! The primitives under the ack tree. In a file of their own so that `tests/loom` can put loom's in their place.

pub(super) use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
