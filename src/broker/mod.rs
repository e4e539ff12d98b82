//! The durable log: topics, partitions, offsets, consumer groups.
//!
//! One set of traits, two implementations: [`kafka`] for a cluster and [`embedded`] for one process with
//! nothing installed. A topology names neither: it holds an `Arc<dyn Broker>` that configuration chose.
//! Everything goes by batches, so the erased calls cost nothing a record would notice.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Broker`] | topics, bounds, offsets by time, committed offsets; hands out the other three |
//! | [`Producer`] | appends; an `Ok` means durable |
//! | [`Cursor`] | reads chosen partitions from chosen offsets, outside any group |
//! | [`Consumer`] | a member of a group: is assigned partitions, reads, commits, gives them back |
//! | [`LogSpout`] | a spout over a [`Consumer`]: watermark commits, replays, drain on revocation |
//! | [`TopicSink`] | a sink over a [`Producer`] |
//! | [`LateBroker`] | a log that need not be there when the process starts |
//!
//! Both implementations pass [`conformance`](crate::testing::broker), and so does the embedded one through
//! [`RemoteBroker`](embedded::RemoteBroker), which other processes use.

pub mod addressed;
mod commit;
pub mod dead_letter;
pub mod embedded;
mod error;
pub mod kafka;
mod late;
mod partitioner;
mod scan;
mod sink;
pub mod spout;
mod topic;
mod traits;

pub use commit::{Commit, Granted, Note};
pub use error::BrokerError;
pub use late::LateBroker;
pub use partitioner::{murmur2, partition_for_key};
pub(crate) use scan::Scan;
pub use sink::TopicSink;
pub use spout::{Admission, Gap, Gate, LogSpout, LogSpoutSettings, OnGap, Seek, Seeks};
pub use topic::{Bounds, Cleanup, TopicInfo, TopicSpec};
pub use traits::{
    Append, Broker, Consumer, ConsumerEvent, Cursor, Fetched, GroupSettings, LogRecord, Position, Producer,
    StartFrom,
};
