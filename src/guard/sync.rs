//! The primitives under the shared breaker. In a file of their own so that `tests/loom` can put loom's in their place.

pub(super) use std::sync::{Arc, Mutex, MutexGuard};
