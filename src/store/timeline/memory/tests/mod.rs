//! The conformance suite, merging in any order, recovery from damage, and `kill -9`.

mod conformance;
mod kill;
mod merge;
mod recovery;

use super::super::{Entry, Timelines};
use super::MemoryTimelines;

/// Entry `n` of an owner of its own.
fn entry(owner: &str) -> Entry<'_> {
    Entry { owner, line: "l", action: "a", id: "i", at_ms: 1, body: b"body" }
}

async fn put(store: &MemoryTimelines, owner: &str) {
    assert!(store.apply(&[entry(owner)]).await.unwrap().is_empty());
}

async fn holds(store: &MemoryTimelines, owner: &str) -> bool {
    !store.timeline(owner, None, 1).await.unwrap().is_empty()
}
