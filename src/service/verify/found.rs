//! What is told of a record.

use serde::Serialize;

use super::{Skip, Verdict};
use crate::delivery::letters::Mark;

/// A record that is asked for.
#[derive(Debug, Clone)]
pub struct Subject<I> {
    /// Where it stands in the log; `None` for one that only a store knows.
    pub log: Option<InLog>,
    /// What it decodes to, or why it does not.
    pub item: Result<I, String>,
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InLog {
    /// Partition of the source topic.
    pub partition: u32,
    /// Offset in it.
    pub offset: u64,
    /// The log's time of it, in milliseconds since the Unix epoch.
    pub time_ms: i64,
}

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its place in the log; none for one that only a store knows.
    pub log: Option<InLog>,
    /// Whether the group has committed it; none for one that only a store knows.
    pub committed: Option<bool>,
    /// What people know it by; none for one that does not decode.
    pub name: Option<String>,
    /// Why it does not decode.
    pub undecodable: Option<String>,
    /// Where it is for each sink; one without a name for a record that does not decode.
    pub sinks: Vec<AtSink>,
    /// The range that was passed over and that it lies in.
    pub skip: Option<Skip>,
}

/// Where a record is for one sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtSink {
    /// The sink; none for a record that does not decode.
    pub sink: Option<String>,
    /// Where it is; none for one that the store does not have and whose place in the log is not known.
    pub verdict: Option<Verdict>,
    /// Where it waits or waited, oldest last.
    pub waits: Vec<Wait>,
    /// Its dead letters, oldest first, also those that were sent back.
    pub letters: Vec<Letter>,
}

/// A record of a retry topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// Which topic of the sink: `retry-1s`, `parked`.
    pub queue: String,
    /// When it may be tried again, in milliseconds since the Unix epoch; 0 = as soon as the sink takes rows.
    pub due_ms: i64,
    /// Failed writes.
    pub attempts: u32,
    /// When it failed first, in milliseconds since the Unix epoch.
    pub first_failure_ms: i64,
    /// When it failed last.
    pub last_failure_ms: i64,
    /// Its last error.
    pub error: String,
}

/// A dead letter of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// Its name, as `dead-letters list` shows it.
    pub letter: String,
    /// Class of the failure.
    pub class: String,
    /// Why it died.
    pub reason: String,
    /// When, in milliseconds since the Unix epoch.
    pub died_ms: i64,
    /// What was done with it last.
    pub mark: Option<Mark>,
    /// Whether the record is there: it was not sent back to its sink.
    pub holds: bool,
}
