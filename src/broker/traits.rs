//! The contracts that every log implementation keeps.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Bounds, BrokerError, Commit, Granted, TopicInfo, TopicSpec};
use crate::topology::{BoxFuture, Headers, Record};

/// A record as the log holds it. `value: None` is a tombstone, which is not the same as an empty value.
pub type LogRecord = Record<Option<Bytes>>;

/// A record to be appended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Append {
    /// Where it goes; `None` lets the key decide (murmur2, as Java's client), or takes partitions in
    /// turn when there is no key either.
    pub partition: Option<u32>,
    /// Chooses the partition and, in a compacted topic, what it replaces.
    pub key: Option<Bytes>,
    /// The payload; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Names and values beside it.
    pub headers: Headers,
    /// Milliseconds since the Unix epoch; `None` = the time of the append.
    pub timestamp_ms: Option<i64>,
}

/// Where an appended record came to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Partition, counted from 0.
    pub partition: u32,
    /// Offset within the partition.
    pub offset: u64,
}

/// A durable, partitioned log. Shared by every task of a process; every method may be called at any time.
///
/// Futures are cancel-safe unless a method says otherwise: dropping one leaves the log as if it had run
/// or not run, never half.
pub trait Broker: Send + Sync + 'static {
    /// Creates a topic. One that exists with the same number of partitions is success.
    ///
    /// # Errors
    /// [`BrokerError::TopicMismatch`] when it exists with another number of partitions.
    fn create_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<(), BrokerError>>;

    /// Deletes a topic with all its records. One that does not exist is success.
    fn delete_topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BrokerError>>;

    /// What is known of a topic; `None` when it does not exist. Never creates it.
    fn topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TopicInfo>, BrokerError>>;

    /// All topics, ordered by name, without the log's internal ones.
    fn topics(&self) -> BoxFuture<'_, Result<Vec<TopicInfo>, BrokerError>>;

    /// What each partition holds, ordered by partition.
    ///
    /// # Errors
    /// [`BrokerError::UnknownTopic`].
    fn bounds<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Bounds>, BrokerError>>;

    /// For each partition, in order, the first offset whose timestamp is `timestamp_ms` or later; the
    /// partition's `latest` when there is none.
    fn offsets_at<'a>(&'a self, topic: &'a str, timestamp_ms: i64)
    -> BoxFuture<'a, Result<Vec<u64>, BrokerError>>;

    /// For each partition, in order, what `group` has committed: the offset of the next record to read.
    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, BrokerError>>;

    /// Moves the committed offsets of a group that has no member.
    ///
    /// # Errors
    /// [`BrokerError::GroupActive`] while the group has members.
    fn reset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        offsets: &'a [(u32, u64)],
    ) -> BoxFuture<'a, Result<(), BrokerError>>;

    /// The producer of this process; every call returns the same one.
    fn producer(&self) -> Result<Arc<dyn Producer>, BrokerError>;

    /// A reader of `topic` that starts at the given `(partition, offset)` pairs and belongs to no group.
    fn cursor(&self, topic: &str, starts: &[(u32, u64)]) -> Result<Box<dyn Cursor>, BrokerError>;

    /// A [`cursor`](Self::cursor) for one who reads slowly. Where a cursor fetches records before they are asked for, this one
    /// fetches about `ahead` of them, a wish; 0 is allowed. They are the same records. On Kafka it is at most
    /// [`cursor_prefetch`](super::kafka::KafkaSettings::cursor_prefetch), a fetch asks for 256 bytes for each, 64 KiB to 1 MiB,
    /// and brings whole batches. A broker that wraps another one has to hand the call on, or reads ahead in full.
    ///
    /// # Errors
    /// Those of [`cursor`](Self::cursor).
    fn slow_cursor(
        &self,
        topic: &str,
        starts: &[(u32, u64)],
        ahead: usize,
    ) -> Result<Box<dyn Cursor>, BrokerError> {
        let _nothing_is_read_ahead = ahead;
        self.cursor(topic, starts)
    }

    /// Joins a consumer group. Partitions arrive later, as [`ConsumerEvent::Assigned`].
    fn subscribe(&self, topic: &str, settings: &GroupSettings) -> Result<Box<dyn Consumer>, BrokerError>;
}

/// Appends records.
pub trait Producer: Send + Sync + 'static {
    /// Appends `records` and resolves when **all** of them are durable, with their positions in order.
    /// Records of one call that go to one partition keep their order.
    ///
    /// Not cancel-safe: a dropped future leaves it unknown which records were appended.
    ///
    /// # Errors
    /// Anything but `Ok` means that some records may be durable and some not; appending again may
    /// duplicate them. Waits are bounded by the producer's configured delivery timeout, also while its
    /// queue is full.
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>>;
}

/// Records of one partition, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Partition, counted from 0.
    pub partition: u32,
    /// Grows with each assignment of the partition to this consumer; 0 for a [`Cursor`]. What belongs to
    /// an older epoch must not be committed.
    pub epoch: u32,
    /// The records; offsets grow, with holes where compaction or transactions left some.
    pub records: Vec<LogRecord>,
    /// Offset of the next record to read: past the last record, and past holes known to follow it.
    pub next: u64,
}

/// Reads chosen partitions, outside any group.
pub trait Cursor: Send + 'static {
    /// Waits for records, at most `max` of one partition. `Ok(None)` when no partition had any within
    /// `wait`. Fetches ahead at most as much as configured. Cancel-safe.
    ///
    /// # Errors
    /// [`BrokerError::OutOfRange`] when a partition's position has left what the log holds; the cursor
    /// stays where it is.
    fn fetch(&mut self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Option<Fetched>, BrokerError>>;

    /// Goes on at `offset` of `partition`; what was fetched ahead of it is dropped.
    fn seek(&mut self, partition: u32, offset: u64) -> Result<(), BrokerError>;

    /// Offset of the next record of `partition` that [`fetch`](Self::fetch) will return.
    fn position(&self, partition: u32) -> Option<u64>;
}

/// Where a group begins in a partition for which it has never committed. An explicit choice: a group that
/// has committed never falls back to it, and an offset out of range is an error, not a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFrom {
    /// The oldest record there is.
    Earliest,
    /// Only what arrives from now on.
    Latest,
    /// The first record at or after this time, milliseconds since the Unix epoch.
    Timestamp(i64),
}

/// How a consumer belongs to its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// Group name.
    pub group: String,
    /// Where to begin without a commit.
    pub start_from: StartFrom,
    /// Static membership (`group.instance.id`): a restart within the session timeout moves no partition.
    pub instance_id: Option<String>,
    /// Records fetched ahead of [`Consumer::poll`], over all partitions.
    pub prefetch: usize,
    /// After how long without a heartbeat the group takes the partitions away.
    pub session_timeout: Duration,
    /// How long a revocation waits for [`Consumer::release`] before the partitions go regardless.
    pub drain_timeout: Duration,
}

impl GroupSettings {
    /// `group` from the earliest record, 64 Ki records ahead, 10 s session, 5 s drain.
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            start_from: StartFrom::Earliest,
            instance_id: None,
            prefetch: 65_536,
            session_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// What [`Consumer::poll`] has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerEvent {
    /// Partitions that are now ours.
    Assigned(Vec<Granted>),
    /// Partitions that the group wants back. No more records of them come. Settle what is in flight and
    /// call [`Consumer::release`]; after `drain_timeout` they go regardless.
    Revoking(Vec<u32>),
    /// Partitions that are already somebody else's: commit nothing of them.
    Lost(Vec<u32>),
    /// Records of one partition.
    Records(Fetched),
}

/// A member of a consumer group, used by one task.
///
/// The thread that talks to the log never waits for the task that calls this: it keeps the membership
/// alive, fetches ahead up to the bound, then pauses fetching.
pub trait Consumer: Send + 'static {
    /// Waits for the next event. At most `max` records in one [`ConsumerEvent::Records`]. Cancel-safe.
    ///
    /// # Errors
    /// [`BrokerError::OutOfRange`] when the position of a partition is not in the log, as a committed offset that has
    /// been deleted: each call fails with it until that partition is [paused](Self::pause), and the others go on then.
    /// After any other fatal error every call fails.
    fn poll(&mut self, max: usize) -> BoxFuture<'_, Result<ConsumerEvent, BrokerError>>;

    /// Lets no more records of `partition` come, until [`resume`](Self::resume) has them come from `at` on. What was
    /// fetched ahead is dropped and nothing more is fetched, so the partition holds no memory however long that takes;
    /// it stays this member's, as of the same epoch, and the other partitions go on. Again moves `at`; the two in turn
    /// are a seek. Nothing happens where the partition is not assigned (any more).
    ///
    /// # Errors
    /// [`BrokerError::Closed`]. That `at` is not in the log is said by a [`poll`](Self::poll) after the resumption.
    fn pause(&mut self, partition: u32, at: u64) -> Result<(), BrokerError>;

    /// Lets records of a paused partition come again. Nothing happens where it is not paused.
    ///
    /// # Errors
    /// [`BrokerError::Closed`].
    fn resume(&mut self, partition: u32) -> Result<(), BrokerError>;

    /// Commits without waiting for the group's answer. Partitions that are no longer assigned are left out. A failed
    /// commit is reported by a later call and superseded by the next one.
    fn commit(&mut self, commits: &[Commit]) -> Result<(), BrokerError>;

    /// Commits and waits for the answer, over everything that [`commit`](Self::commit) was asked for before. Gives
    /// nothing back. Cancel-safe: dropped, the commit is made or not.
    ///
    /// # Errors
    /// [`BrokerError::Interrupted`] when a partition of `commits` is no longer assigned, whether a poll has told so or not:
    /// nothing of it is committed, and of the others what they ask for.
    fn commit_now<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>>;

    /// Commits, waits for the answer, and gives the partitions of the pending [`ConsumerEvent::Revoking`] back.
    /// Without one it only commits. Partitions that are no longer assigned are left out.
    fn release<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>>;

    /// Leaves the group, after a last commit that is waited for.
    fn close<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>>;
}
