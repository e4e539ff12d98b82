//! What can be wrong with a job.

use super::Range;
use crate::broker::BrokerError;
use crate::control::ControlError;

/// Why a job was not created or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackfillError {
    /// There is no such job.
    #[error("there is no backfill `{id}`; `backfill list` shows those there are")]
    Unknown {
        /// The name that was asked for.
        id: String,
    },
    /// The job is past that.
    #[error("backfill `{id}` is {state}, it cannot be {wanted}")]
    Over {
        /// The job.
        id: String,
        /// What it is.
        state: &'static str,
        /// What it was to be, such as `paused`.
        wanted: &'static str,
    },
    /// The topic has no such partition.
    #[error("topic `{topic}` has no partition {partition}; it has 0 to {last}")]
    NoPartition {
        /// The topic.
        topic: String,
        /// The partition that was asked for.
        partition: u32,
        /// The last that there is.
        last: u32,
    },
    /// A skip while another seek is on its way.
    #[error(
        "seek {number} has spout `{spout}` go on at {offset} in partition {partition}, and no live worker is known to have \
         made it; skip once it is made"
    )]
    Unmade {
        /// The spout.
        spout: String,
        /// The partition.
        partition: u32,
        /// Which seek.
        number: u64,
        /// Where it leads.
        offset: u64,
    },
    /// A skip that would lead back.
    #[error(
        "spout `{spout}` stands at {from} in partition {partition}, which is past {to}; to go back use `seek`"
    )]
    NotAhead {
        /// The spout.
        spout: String,
        /// The partition.
        partition: u32,
        /// Where it stands.
        from: u64,
        /// Where it was to go.
        to: u64,
    },
    /// A beginning without an end, or the other way round.
    #[error(
        "partition {partition} has {has} and no {misses}; name it in both, or give one of them for all partitions"
    )]
    Half {
        /// The partition.
        partition: u32,
        /// What it has.
        has: &'static str,
        /// What it has not.
        misses: &'static str,
    },
    /// A range that ends before it begins, or is not in the log.
    #[error("{topic}{range} {problem}; the log holds {earliest}..{latest} of this partition")]
    BadRange {
        /// The topic.
        topic: String,
        /// The range.
        range: Range,
        /// What is wrong with it.
        problem: &'static str,
        /// Oldest offset held.
        earliest: u64,
        /// Offset of the next record.
        latest: u64,
    },
    /// No partition has a record in the range.
    #[error("there is nothing between these ends in `{topic}`; it holds {held}")]
    Nothing {
        /// The topic.
        topic: String,
        /// What each partition holds.
        held: String,
    },
    /// Ranges were given one by one, and none of them lies in the partitions that were asked for.
    #[error("none of the ranges lies in partition {asked}; they have partition {has}")]
    NoRange {
        /// The partitions that were asked for.
        asked: String,
        /// Those that the ranges have.
        has: String,
    },
    /// Another job is at work there.
    #[error(
        "{topic}{range} belongs to backfill `{id}`, which is not over; wait for it, cancel it, or leave this out: \
         name other offsets, or other partitions"
    )]
    Overlaps {
        /// The topic.
        topic: String,
        /// The other job's range.
        range: Range,
        /// The other job.
        id: String,
    },
    /// A number that makes no sense.
    #[error("invalid {what}: {valid}")]
    Invalid {
        /// What is wrong.
        what: &'static str,
        /// What is valid.
        valid: String,
    },
    /// A control record that holds no job.
    #[error("not a backfill job: {0}")]
    BadJob(#[source] serde_json::Error),
    /// The audit, or a control topic.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The log failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}
