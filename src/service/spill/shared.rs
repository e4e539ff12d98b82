//! What the two ends of a spill share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::SpillError;
use super::folder::Folder;
use super::segment::Segment;
use super::settings::SpillSettings;
use super::status::SpillStatus;
use crate::guard::Clock;

/// No record is waiting.
const NONE: i64 = i64::MAX;

pub(super) struct Shared {
    pub(super) settings: SpillSettings,
    pub(super) clock: Clock,
    pub(super) folder: Folder,
    /// Told when records were appended, and when the spill is closed.
    pub(super) changed: Notify,
    /// Oldest first; the writer adds at the end, the reader removes at the front.
    segments: Mutex<VecDeque<Arc<Segment>>>,
    /// Bytes that count: in segments, and on their way there.
    held: AtomicU64,
    oldest_ms: AtomicI64,
    appended: AtomicU64,
    drained: AtomicU64,
    refused: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Shared {
    pub(super) fn new(settings: SpillSettings, clock: Clock, folder: Folder) -> Self {
        Self {
            settings,
            clock,
            folder,
            changed: Notify::new(),
            segments: Mutex::default(),
            held: AtomicU64::new(0),
            oldest_ms: AtomicI64::new(NONE),
            appended: AtomicU64::new(0),
            drained: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failure: Mutex::default(),
        }
    }

    /// Takes room for records that are about to be appended.
    pub(super) fn reserve(&self, bytes: u64, records: u64) -> Result<(), SpillError> {
        let max = self.settings.max_bytes;
        let more = |held: u64| held.checked_add(bytes).filter(|held| *held <= max);
        match self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(()),
            Err(held) => {
                self.refused.fetch_add(records, Ordering::Relaxed);
                Err(SpillError::Full { held, wanted: bytes, max })
            }
        }
    }

    /// Counts what a process before this one left.
    pub(super) fn found(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Gives room back.
    pub(super) fn free(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Notes that records which are this old have become durable.
    pub(super) fn appended(&self, records: u64, oldest_ms: i64) {
        self.appended.fetch_add(records, Ordering::Relaxed);
        self.oldest_ms.fetch_min(oldest_ms, Ordering::AcqRel);
        self.note(None);
        self.changed.notify_one();
    }

    /// Notes that records are in the log.
    pub(super) fn drained(&self, records: u64) {
        self.drained.fetch_add(records, Ordering::Relaxed);
    }

    /// Sets from when the oldest record is; `None` when there is none.
    pub(super) fn oldest(&self, at_ms: Option<i64>) {
        self.oldest_ms.store(at_ms.unwrap_or(NONE), Ordering::Release);
    }

    /// Notes why the disk failed last, or that it works.
    pub(super) fn note(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// [`note`](Self::note)s and logs what is the matter with the disk.
    pub(super) fn trouble(&self, error: &SpillError) {
        tracing::error!(%error, "the spill takes nothing for now");
        self.note(Some(error.to_string()));
    }

    pub(super) fn first(&self) -> Option<Arc<Segment>> {
        self.segments().front().cloned()
    }

    pub(super) fn push(&self, segment: Arc<Segment>) {
        self.segments().push_back(segment);
    }

    /// Takes the first segment off, with the bytes that still count for it.
    pub(super) fn pop(&self) {
        if let Some(segment) = self.segments().pop_front() {
            self.free(segment.take(u64::MAX, u64::MAX));
        }
    }

    pub(super) fn is_first(&self, segment: &Segment) -> bool {
        self.segments().front().is_some_and(|first| first.number == segment.number)
    }

    pub(super) fn all(&self) -> Vec<Arc<Segment>> {
        self.segments().iter().cloned().collect()
    }

    pub(super) fn status(&self) -> SpillStatus {
        let oldest_ms = Some(self.oldest_ms.load(Ordering::Acquire)).filter(|at| *at != NONE);
        SpillStatus {
            records: self.segments().iter().map(|segment| segment.records()).sum(),
            bytes: self.held.load(Ordering::Acquire),
            max_bytes: self.settings.max_bytes,
            oldest_age_ms: oldest_ms.map(|at| self.clock.unix_ms().saturating_sub(at).max(0).unsigned_abs()),
            appended: self.appended.load(Ordering::Relaxed),
            drained: self.drained.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            failure: self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// What the lock guards is whole after every statement.
    fn segments(&self) -> MutexGuard<'_, VecDeque<Arc<Segment>>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
