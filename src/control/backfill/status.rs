//! How a job stands, for people and programs.

use serde::Serialize;

use super::{Entry, Job, Lost, Range};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its chunks are given out.
    Running,
    /// Nothing of it is given out until it is resumed.
    Paused,
    /// It ended as it was, for good.
    Cancelled,
    /// All of it is done.
    Finished,
}

impl State {
    /// Its name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }
}

/// Why nothing of a job is given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Who paused it: an operator, or a worker that could not go on.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// A worker at a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Its name.
    pub worker: String,
    /// What it has.
    #[serde(flatten)]
    pub range: Range,
    /// Everything below is settled.
    pub next: u64,
    /// When it was last heard of, in milliseconds since the Unix epoch.
    pub renewed_ms: i64,
    /// Whether its lease is over: another worker will take the chunk.
    pub is_over: bool,
}

/// A job and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// What is to be done.
    pub job: Job,
    /// Where it is in its life.
    pub state: State,
    /// Why it is paused, while it is.
    pub paused: Option<Pause>,
    /// Offsets of its ranges, holes included.
    pub total: u64,
    /// Those of them that are settled.
    pub done: u64,
    /// Offsets a second, over the last minute of progress; `None` when none is known or nobody works at it.
    pub rate: Option<f64>,
    /// Seconds until the end at that rate.
    pub remaining_s: Option<u64>,
    /// Chunks there are.
    pub chunks: usize,
    /// Chunks that are done.
    pub chunks_done: usize,
    /// Chunks that nobody has.
    pub chunks_free: usize,
    /// Who has the others.
    pub held: Vec<Holder>,
    /// What was deleted before it was read.
    pub lost: Vec<Lost>,
    /// When it was finished, in milliseconds since the Unix epoch.
    pub finished_ms: Option<i64>,
}

impl Status {
    pub(super) fn of(entry: &Entry, now_ms: i64) -> Self {
        let (chunks, held, free) = entry.counts();
        let holder = |(chunk, lease): (u32, &super::Lease)| {
            let chunk = entry.chunk(chunk)?;
            Some(Holder {
                worker: lease.worker.clone(),
                range: chunk.range,
                next: chunk.next,
                renewed_ms: lease.renewed_ms,
                is_over: entry.is_stale(lease, now_ms),
            })
        };
        let (total, done) = (entry.job().total(), entry.settled());
        let holders: Vec<Holder> = entry.leases().filter_map(holder).collect();
        let works = entry.state() == State::Running && holders.iter().any(|holder| !holder.is_over);
        let rate = entry.rate().filter(|_| works);
        let remaining = rate.filter(|rate| *rate > 0.0).map(|rate| ((total - done) as f64 / rate).ceil() as u64);
        Self {
            job: (**entry.job()).clone(),
            state: entry.state(),
            paused: entry.paused().filter(|_| entry.state() == State::Paused).cloned(),
            total,
            done,
            rate,
            remaining_s: remaining,
            chunks,
            chunks_done: chunks - held - free,
            chunks_free: free,
            held: holders,
            lost: entry.lost().copied().collect(),
            finished_ms: entry.finished_ms(),
        }
    }

    /// Whether nothing more happens to it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Finished | State::Cancelled)
    }
}
