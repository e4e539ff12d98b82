//! What is put to the test.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::Broker;
use crate::topology::BoxFuture;

/// A log under test, and what the suite cannot do through [`Broker`] alone.
pub trait Subject: Send {
    /// The log as it runs now. Every call returns the same one until [`restart`](Self::restart).
    fn broker(&self) -> Arc<dyn Broker>;

    /// Stops the log and starts it again over the same data; against a cluster, makes new clients. The caller
    /// has dropped everything that it had from the old one.
    fn restart(&mut self) -> BoxFuture<'_, ()>;

    /// Makes the log forget the records of `partition` below `offset`, as its retention would, and resolves
    /// when the partition's earliest offset is `offset`.
    fn expire_before<'a>(&'a self, topic: &'a str, partition: u32, offset: u64) -> BoxFuture<'a, ()>;

    /// Compacts what `topic` holds, tombstones that may go included, and resolves when that is done. `false`
    /// when this log cannot be made to: then only what holds before and after a compaction is checked.
    fn compact<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, bool>;

    /// The shortest session timeout that the log takes, or near it. Kafka's own default for the shortest is 6 s.
    fn session_timeout(&self) -> Duration {
        Duration::from_secs(6)
    }

    /// Size of a payload that is certainly above the log's limit.
    fn too_large(&self) -> usize {
        4 * 1024 * 1024
    }
}
