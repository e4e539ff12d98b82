//! One job in the ledger.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Event, Job, Over, Pause, Range, State};

/// Samples of the progress that are kept, for the rate.
const SAMPLES: usize = 64;
/// For how long they are kept, in milliseconds.
const WINDOW_MS: i64 = 60_000;
/// Least time between two of them, in milliseconds.
const SAMPLE_MS: i64 = 1_000;

/// Records that were deleted before they were read.
pub type Lost = Range;

/// A part of a job that is given out whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// What is to be read.
    pub range: Range,
    /// Everything below is settled.
    pub next: u64,
}

/// A chunk that a worker has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose it is.
    pub worker: String,
    /// Offset of the claim.
    pub token: u64,
    /// When the worker was last heard of, in milliseconds since the Unix epoch, by its own clock.
    pub renewed_ms: i64,
    /// Offset of what it said last.
    pub heard: u64,
}

/// A job and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub(super) job: Arc<Job>,
    /// Empty once it is finished.
    chunks: Vec<Chunk>,
    count: usize,
    /// Chunks that were not done when it ended, of one whose record says so: which ones is not known any more.
    left: usize,
    free: BTreeSet<u32>,
    leases: BTreeMap<u32, Lease>,
    settled: u64,
    lost: BTreeSet<Lost>,
    paused: Option<Pause>,
    cancelled: bool,
    finished_ms: Option<i64>,
    /// Time and settled offsets, ordered by time.
    samples: VecDeque<(i64, u64)>,
}

impl Entry {
    pub(super) fn new(job: Job) -> Self {
        if let Some(over) = job.over.clone() {
            return Self::ended(job, over);
        }
        let chunks: Vec<_> = job.chunks().into_iter().map(|range| Chunk { range, next: range.from }).collect();
        Self {
            job: Arc::new(job),
            count: chunks.len(),
            left: 0,
            free: (0..chunks.len() as u32).collect(),
            chunks,
            leases: BTreeMap::new(),
            settled: 0,
            lost: BTreeSet::new(),
            paused: None,
            cancelled: false,
            finished_ms: None,
            samples: VecDeque::new(),
        }
    }

    /// One whose record says how it ended.
    fn ended(job: Job, over: Over) -> Self {
        let count = job.chunks().len();
        let Over { finished, at_ms, done, chunks_left, lost } = over;
        Self {
            job: Arc::new(job),
            chunks: Vec::new(),
            count,
            left: chunks_left,
            free: BTreeSet::new(),
            leases: BTreeMap::new(),
            settled: done,
            lost: lost.into_iter().collect(),
            paused: None,
            cancelled: !finished,
            finished_ms: at_ms.filter(|_| finished),
            samples: VecDeque::new(),
        }
    }

    /// The record of a job that is over, with how it ended; `None` when that is in it, or it is not over.
    pub(super) fn epitaph(&self) -> Option<Job> {
        if self.job.over.is_some() || !self.is_over() {
            return None;
        }
        let (finished, lost) = (self.finished_ms.is_some(), self.lost.iter().copied().collect());
        let chunks_left = self.leases.len() + self.free.len();
        let over = Over { finished, at_ms: self.finished_ms, done: self.settled, chunks_left, lost };
        Some(Job { over: Some(over), ..Job::clone(&self.job) })
    }

    /// What is to be done.
    pub fn job(&self) -> &Arc<Job> {
        &self.job
    }

    /// How it stands.
    pub fn state(&self) -> State {
        match self {
            Self { finished_ms: Some(_), .. } => State::Finished,
            Self { cancelled: true, .. } => State::Cancelled,
            Self { paused: Some(_), .. } => State::Paused,
            _ => State::Running,
        }
    }

    /// Whether it gives nothing out any more.
    pub fn is_over(&self) -> bool {
        matches!(self.state(), State::Finished | State::Cancelled)
    }

    /// Whether every chunk is done.
    pub fn is_done(&self) -> bool {
        self.free.is_empty() && self.leases.is_empty()
    }

    /// Whether this chunk is done.
    pub fn is_chunk_done(&self, chunk: u32) -> bool {
        (chunk as usize) < self.count && !self.free.contains(&chunk) && !self.leases.contains_key(&chunk)
    }

    /// A chunk; none any more once the job is finished.
    pub fn chunk(&self, chunk: u32) -> Option<Chunk> {
        self.chunks.get(chunk as usize).copied()
    }

    /// Who has the chunk.
    pub fn lease(&self, chunk: u32) -> Option<&Lease> {
        self.leases.get(&chunk)
    }

    /// All leases, by chunk.
    pub fn leases(&self) -> impl Iterator<Item = (u32, &Lease)> {
        self.leases.iter().map(|(chunk, lease)| (*chunk, lease))
    }

    /// The chunk that `worker` has.
    pub fn held_by(&self, worker: &str) -> Option<u32> {
        self.leases.iter().find(|(_, lease)| lease.worker == worker).map(|(chunk, _)| *chunk)
    }

    /// How many chunks there are, how many of them are held, and how many free.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.count, self.leases.len(), self.free.len() + self.left)
    }

    /// Offsets that are settled, over all chunks.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// What was deleted before it was read.
    pub fn lost(&self) -> impl Iterator<Item = &Lost> {
        self.lost.iter()
    }

    /// Why nothing of it is given out, until it is resumed.
    pub fn paused(&self) -> Option<&Pause> {
        self.paused.as_ref()
    }

    /// When it was finished.
    pub fn finished_ms(&self) -> Option<i64> {
        self.finished_ms
    }

    /// Settled offsets a second, over the last minute of progress; `None` before there is any.
    pub fn rate(&self) -> Option<f64> {
        let ((from_ms, from), (to_ms, to)) = (self.samples.front()?, self.samples.back()?);
        (to_ms > from_ms).then(|| (to - from) as f64 * 1_000.0 / (to_ms - from_ms) as f64)
    }

    /// The chunk to be claimed next: one whose lease is over before one that is free. `None` when the claim of any would
    /// not be valid.
    pub fn offer(&self, now_ms: i64) -> Option<u32> {
        if self.state() != State::Running {
            return None;
        }
        let stale = self.leases.iter().find(|(_, lease)| self.is_stale(lease, now_ms)).map(|(chunk, _)| *chunk);
        let room = self.leases.len() < self.most();
        stale.or_else(|| self.free.first().copied().filter(|_| room))
    }

    fn most(&self) -> usize {
        self.job.workers.map_or(usize::MAX, |workers| workers as usize)
    }

    pub(super) fn is_stale(&self, lease: &Lease, now_ms: i64) -> bool {
        let lease_ms = i64::try_from(self.job.lease_ms).unwrap_or(i64::MAX);
        now_ms > lease.renewed_ms.saturating_add(lease_ms)
    }

    /// Takes an event of this job in, whose offset is `offset`.
    pub(super) fn note(&mut self, offset: u64, event: &Event) {
        if self.finished_ms.is_some() || self.job.over.is_some() {
            return;
        }
        match event {
            Event::Claim { chunk, worker, at_ms, after, .. } => self.claim(*chunk, worker, offset, *at_ms, *after),
            Event::Progress { chunk, token, next, at_ms, .. } => {
                self.progress(offset, *chunk, *token, *next, *at_ms);
            }
            Event::Lost { chunk, token, from, to, at_ms, .. } => {
                self.lose(offset, *chunk, *token, (*from, *to), *at_ms);
            }
            Event::Done { chunk, token, next, at_ms, .. } => {
                let end = self.chunk(*chunk).map(|chunk| chunk.range.to);
                if end == Some(*next) && self.progress(offset, *chunk, *token, *next, *at_ms) {
                    self.leases.remove(chunk);
                }
            }
            Event::Release { chunk, token, next, at_ms, .. } => {
                if self.progress(offset, *chunk, *token, *next, *at_ms) {
                    self.leases.remove(chunk);
                    self.free.insert(*chunk);
                }
            }
            Event::Pause { who, reason, at_ms, .. } => {
                // The first word stands: others follow from it.
                let pause = || Pause { who: who.clone(), reason: reason.clone(), at_ms: *at_ms };
                self.paused.get_or_insert_with(pause);
                // The rest is no speed.
                self.samples = VecDeque::new();
            }
            Event::Resume { .. } => self.paused = None,
            Event::Cancel { .. } => self.cancelled = true,
            Event::Finished { at_ms, .. } if self.is_done() && !self.cancelled => {
                self.finished_ms = Some(*at_ms);
                self.chunks = Vec::new();
            }
            Event::Finished { .. } => {}
        }
    }

    fn claim(&mut self, chunk: u32, worker: &str, token: u64, at_ms: i64, after: Option<u64>) {
        let valid = match self.leases.get(&chunk) {
            // The others are as many as before.
            Some(lease) => lease.worker == worker || self.is_stale(lease, at_ms) || after == Some(lease.heard),
            None => self.free.contains(&chunk) && self.leases.len() < self.most(),
        };
        if valid && self.state() == State::Running {
            self.free.remove(&chunk);
            self.leases.insert(chunk, Lease { worker: worker.to_owned(), token, renewed_ms: at_ms, heard: token });
        }
    }

    /// Whether the token is that of the lease and `next` lies in the chunk.
    fn progress(&mut self, offset: u64, chunk: u32, token: u64, next: u64, at_ms: i64) -> bool {
        let held = self.leases.get_mut(&chunk).filter(|lease| lease.token == token);
        let (Some(lease), Some(known)) = (held, self.chunks.get_mut(chunk as usize)) else { return false };
        if !(known.range.from..=known.range.to).contains(&next) {
            return false;
        }
        lease.renewed_ms = lease.renewed_ms.max(at_ms);
        lease.heard = offset;
        self.settled += next.saturating_sub(known.next);
        known.next = known.next.max(next);
        self.sample(at_ms);
        true
    }

    fn lose(&mut self, offset: u64, chunk: u32, token: u64, (from, to): (u64, u64), at_ms: i64) {
        let Some(Chunk { range, next }) = self.chunk(chunk) else { return };
        if self.progress(offset, chunk, token, next, at_ms) {
            let mut lost = Range { partition: range.partition, from: from.max(range.from), to: to.min(range.to) };
            if lost.is_empty() {
                return;
            }
            // A worker that begins anew finds as lost what the one before it did, and perhaps more.
            let touches =
                |known: &Lost| known.partition == lost.partition && known.from <= lost.to && lost.from <= known.to;
            let met: Vec<Lost> = self.lost.iter().copied().filter(touches).collect();
            for known in met {
                self.lost.remove(&known);
                (lost.from, lost.to) = (lost.from.min(known.from), lost.to.max(known.to));
            }
            self.lost.insert(lost);
        }
    }

    fn sample(&mut self, at_ms: i64) {
        if self.samples.back().is_some_and(|(last_ms, _)| at_ms < last_ms + SAMPLE_MS) {
            return;
        }
        let is_old = |(then_ms, _): &(i64, u64)| *then_ms < at_ms - WINDOW_MS;
        while self.samples.len() >= SAMPLES || self.samples.front().is_some_and(is_old) {
            self.samples.pop_front();
        }
        self.samples.push_back((at_ms, self.settled));
    }
}
