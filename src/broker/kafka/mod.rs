//! The log on Apache Kafka, over librdkafka.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`KafkaBroker`] | the [`Broker`](super::Broker): topics, offsets, groups; makes the other parts |
//! | `producer` | one idempotent producer a process; an append resolves when all of it is acknowledged |
//! | `poller` | one thread for each consumer or cursor: serves librdkafka, fetches ahead, never waits for a store |
//! | `inbox` | what passes between that thread and the task that owns the consumer |
//! | `consume` `events` | the calls of librdkafka that its Rust wrapper lacks; the only unsafe code |
//!
//! What holds whatever the configuration says: nothing is committed unasked (`enable.auto.commit=false`), an
//! offset out of range is an error (`auto.offset.reset=error`), appends are idempotent and acknowledged by all
//! in-sync replicas, and keys go where Java's clients put them (`partitioner=murmur2_random`).
//!
//! Groups use the cooperative-sticky assignor: a rebalance takes only the partitions that move. The thread
//! answers a revocation between two polls instead of inside librdkafka's callback, so while a revoked partition
//! drains the others go on being read; it is given back when the owner has released it or the drain time-out
//! has passed, after a synchronous commit.

mod assignment;
mod blocking;
mod broker;
mod class;
mod client;
mod commit;
mod config;
mod consume;
mod consumer;
mod context;
mod cursor;
mod error;
mod events;
mod gather;
mod inbox;
mod lookup;
mod outsiders;
mod pause;
mod poller;
mod producer;
mod settings;
#[cfg(test)]
mod tests;

pub use broker::KafkaBroker;
pub(super) use class::class_of;
pub use settings::{Compression, KafkaSettings};
