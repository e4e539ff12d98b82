//! The shared breaker over loom's lock.

mod sync {
    pub(super) use loom::sync::{Arc, Mutex, MutexGuard};
}

#[path = "../../../../src/guard/breaker/mod.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "the tests use the part that threads share")]
mod breaker;

#[path = "../../../../src/guard/ramp.rs"]
#[allow(dead_code, unreachable_pub, reason = "the breaker uses a part of it")]
mod ramp;

#[cfg(test)]
mod interleavings;
