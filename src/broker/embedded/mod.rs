//! The log in one process, durable, with nothing installed.
//!
//! An LSM store holds *blocks* of records under `(topic, partition, first offset)`, so that reading a partition is
//! a scan. One thread writes: it takes every append that waits, writes them as one atomic batch, syncs once and
//! answers all of them. `kill -9` at any time loses nothing that was acknowledged and leaves no half batch.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`EmbeddedBroker`] | the [`Broker`](super::Broker) |
//! | `codec`, `keys` | how blocks and the rest stand on disk |
//! | `store`, `topic` | opening and recovering; what is known of a topic in memory |
//! | `writer` | the thread that appends and commits |
//! | `read` | records from an offset, offsets by time |
//! | `group`, `consumer` | membership and assignment; a member |
//! | [`RemoteBroker`], `remote` | the same log for other processes, through a socket in its directory |
//! | `upkeep` | retention, compaction, what deleted topics leave behind |
//!
//! # What may be relied on
//!
//! - A record is visible to readers only after it is durable.
//! - A data directory belongs to one process; a second gets [`BrokerError::Locked`](super::BrokerError::Locked).
//!   With [`share`](EmbeddedSettings::share) it can use the log all the same, through [`RemoteBroker`].
//! - After a storage failure the log takes no more appends until it is opened again; reading goes on.
//! - Members of a group live in this process, or behind a connection to it, so a member is alive as long as its
//!   consumer is not dropped: `session_timeout` and `instance_id` have nothing to decide here, and dropping a
//!   consumer leaves the group at once, without commit.

mod broker;
mod codec;
mod commits;
mod consumer;
mod cursor;
mod failure;
mod group;
mod housekeeper;
mod keys;

mod producer;
mod read;
mod remote;
mod settings;
mod shared;
mod store;
mod topic;
mod upkeep;
mod writer;

#[cfg(test)]
mod tests;

pub use broker::EmbeddedBroker;
pub use remote::{RemoteBroker, RemoteSettings};
pub use settings::EmbeddedSettings;
