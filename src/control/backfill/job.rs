//! What a job is.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::BackfillError;
use crate::control::SeekRecord;

/// What the key of a job's control record begins with.
pub(in crate::control) const PREFIX: &str = "backfill/";
/// More chunks than this cannot be leased one by one in reasonable time.
pub(super) const MAX_CHUNKS: u64 = 100_000;

/// Offsets `from..to` of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Range {
    /// Partition, counted from 0.
    pub partition: u32,
    /// First offset.
    pub from: u64,
    /// Offset after the last.
    pub to: u64,
}

impl Range {
    /// How many offsets it has.
    pub fn len(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.to <= self.from
    }

    /// Whether both have an offset in common.
    pub fn intersects(&self, other: &Self) -> bool {
        self.partition == other.partition && self.from < other.to && other.from < self.to
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {}..{}", self.partition, self.from, self.to)
    }
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// Whether it came to its end; otherwise it was cancelled.
    pub finished: bool,
    /// When, in milliseconds since the Unix epoch; unknown of one that was cancelled.
    pub at_ms: Option<i64>,
    /// Offsets that were settled.
    pub done: u64,
    /// Chunks that were not done.
    #[serde(default)]
    pub chunks_left: usize,
    /// What was deleted before it was read.
    #[serde(default)]
    pub lost: Vec<Range>,
}

/// A range of a topic to be processed: the JSON value of the control record `backfill/<id>`. Nothing of it is ever
/// changed, but that its end is added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name, unique.
    pub id: String,
    /// What is read.
    pub topic: String,
    /// What of it; no two intersect.
    pub ranges: Vec<Range>,
    /// Offsets of one lease.
    pub chunk: u64,
    /// Records a second over all workers; `None` = as fast as `share` lets.
    #[serde(default)]
    pub rate: Option<u64>,
    /// How much of the stores' time all of its tasks together may take: [`MIN_SHARE`](Self::MIN_SHARE) to 1.
    pub share: f64,
    /// Leases held at a time; `None` = as many as there are chunks.
    #[serde(default)]
    pub workers: Option<u32>,
    /// Names of the sinks that are meant; empty = all.
    #[serde(default)]
    pub only_sinks: Vec<String>,
    /// Only processes that were started for this runner take chunks; `None` = those that were started for none.
    #[serde(default)]
    pub runner: Option<String>,
    /// The spout by whose skip these ranges were left out.
    #[serde(default)]
    pub skip: Option<String>,
    /// Where that spout is sent by this very record, so that it passes them over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends: Option<SeekRecord>,
    /// After how long without a word a worker loses its chunk, in milliseconds.
    pub lease_ms: u64,
    /// How it ended: what the ledger says is deleted one day, and it must not begin anew then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
    /// Who wants it.
    pub who: String,
    /// Since when, in milliseconds since the Unix epoch.
    pub when_ms: i64,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

impl Job {
    /// Ranges that a job has at most: more do not fit into one record of the control topic.
    pub const MAX_RANGES: usize = 10_000;
    /// Offsets of a chunk, if nothing else is asked for.
    pub const CHUNK: u64 = 50_000;
    /// Share of the stores' time, if nothing else is asked for. It is not for the mean, which a hundredth of the time hardly
    /// moves, by the formula at [`Budget`](super::Budget), but for the slowest of the fresh records: one that meets a run in its
    /// lane waits for a whole write, and the 99th percentile begins to tell as soon as one of a hundred does. With a
    /// twentieth it was told; with less, beside a busy stream, it is not settled whether it is.
    pub const SHARE: f64 = 0.01;
    /// The smallest share that is not a mistake: rests are a thousand times as long as the work, and 30 s at most.
    pub const MIN_SHARE: f64 = 0.001;
    /// How long a lease lasts without a word, if nothing else is asked for, in milliseconds.
    pub const LEASE_MS: u64 = 15_000;

    /// Offsets over all ranges.
    pub fn total(&self) -> u64 {
        self.ranges.iter().map(Range::len).sum()
    }

    /// Into how many chunks `ranges` are cut.
    pub(super) fn count(ranges: &[Range], chunk: u64) -> u64 {
        ranges.iter().map(|range| range.len().div_ceil(chunk.max(1))).sum()
    }

    /// The chunks, in the order in which they are counted: always the same for the same job.
    pub fn chunks(&self) -> Vec<Range> {
        let chunk = self.chunk.max(1);
        let cut = |range: &Range| {
            let Range { partition, from, to } = *range;
            (0..range.len().div_ceil(chunk)).map(move |at| {
                let from = from + at * chunk;
                Range { partition, from, to: to.min(from.saturating_add(chunk)) }
            })
        };
        self.ranges.iter().flat_map(cut).collect()
    }

    /// Whether some record goes to the same sink by both.
    pub fn overlaps(&self, other: &Self) -> Option<Range> {
        let sinks = self.only_sinks.is_empty()
            || other.only_sinks.is_empty()
            || self.only_sinks.iter().any(|sink| other.only_sinks.contains(sink));
        let common = |range: &&Range| self.ranges.iter().any(|own| own.intersects(range));
        (sinks && self.topic == other.topic).then(|| other.ranges.iter().find(common).copied()).flatten()
    }

    /// The key of its record.
    pub(super) fn key(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// The value of its record.
    pub(super) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and finite numbers are always JSON").into()
    }

    /// Reads a record's value. One whose numbers make no sense is refused, whoever wrote it.
    pub(super) fn decode(json: &[u8]) -> Result<Self, BackfillError> {
        let job: Self = serde_json::from_slice(json).map_err(BackfillError::BadJob)?;
        job.check()?;
        Ok(job)
    }

    /// Whether its numbers make sense.
    pub(super) fn check(&self) -> Result<(), BackfillError> {
        let wrong = |what: &'static str, valid: String| Err(BackfillError::Invalid { what, valid });
        if self.ranges.is_empty() || self.ranges.iter().any(Range::is_empty) {
            return wrong("range", "each range ends after its beginning".to_owned());
        }
        let mut ordered = self.ranges.clone();
        ordered.sort_unstable();
        if ordered.windows(2).any(|pair| pair[0].intersects(&pair[1])) {
            return wrong("range", "no two ranges have an offset in common".to_owned());
        }
        if self.only_sinks.iter().any(|sink| sink.is_empty() || sink.contains(',')) {
            return wrong("sink", "a name that is not empty and has no comma".to_owned());
        }
        if !(Self::MIN_SHARE..=1.0).contains(&self.share) {
            return wrong("share", format!("it lies between {} and 1", Self::MIN_SHARE));
        }
        if self.rate == Some(0) || self.workers == Some(0) || self.chunk == 0 || self.lease_ms == 0 {
            return wrong("rate, workers, chunk or lease", "each is at least 1".to_owned());
        }
        if self.ranges.len() > Self::MAX_RANGES {
            return wrong(
                "list of ranges",
                format!("it has at most {}; merge them, or make several jobs", Self::MAX_RANGES),
            );
        }
        if Self::count(&self.ranges, self.chunk) > MAX_CHUNKS {
            let least = self.total().div_ceil(MAX_CHUNKS - self.ranges.len() as u64).max(1);
            return wrong("chunk", format!("with these ranges it is at least {least} records"));
        }
        Ok(())
    }
}
