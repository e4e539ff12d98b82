//! The ack tree and the shared breaker under loom: the same source, with loom's primitives in the place of the standard
//! ones.
//!
//! A package of its own, so that neither a compiler flag nor a second build of every dependency is needed.

#[path = "../../../src/topology/error.rs"]
#[allow(dead_code, unreachable_pub, reason = "the whole file is taken for its `Class`")]
mod error;

mod sync {
    pub(super) use loom::sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    };
}

#[path = "../../../src/topology/ack.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use the part that threads share")]
mod ack;

use error::Class;

mod guard;

#[cfg(test)]
mod interleavings;
