//! A part of the spill: an embedded log in a folder of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::SpillError;
use super::settings::SpillSettings;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Broker, BrokerError, TopicSpec};

/// The topic in it, of one partition.
pub(super) const TOPIC: &str = "spill";

/// How long opening waits for a log that is just being closed.
const CLOSING: Duration = Duration::from_secs(20);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes after which a read ends before its number of records is reached.
const READ_BYTES: usize = 1024 * 1024;

/// A segment. The writer appends to the last one, the reader drains the first one; they may be the same.
pub(super) struct Segment {
    pub(super) number: u64,
    dir: PathBuf,
    settings: EmbeddedSettings,
    /// Bytes in it that count. Never less than those of the records that it holds and that are not drained.
    bytes: AtomicU64,
    records: AtomicU64,
    written: AtomicU64,
    /// Offset below which all is drained.
    position: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    log: Option<EmbeddedBroker>,
    /// Nothing is appended any more.
    sealed: bool,
    /// An append is under way.
    writing: bool,
}

impl Segment {
    pub(super) fn new(number: u64, dir: PathBuf, settings: &SpillSettings) -> Self {
        let settings = EmbeddedSettings {
            sync: settings.sync,
            // The spill has its own bound for records; those that it adds to must fit.
            max_record_bytes: settings.max_record_bytes.saturating_add(64 * 1024),
            fetch_max_bytes: READ_BYTES,
            upkeep_interval: None,
            cache_bytes: 4 * 1024 * 1024,
            ..EmbeddedSettings::default()
        };
        Self {
            number,
            dir,
            settings,
            bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            written: AtomicU64::new(0),
            position: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// Its log, opened and created when it is not.
    pub(super) async fn log(&self) -> Result<EmbeddedBroker, SpillError> {
        if let Some(log) = &self.state().log {
            return Ok(log.clone());
        }
        let deadline = Instant::now() + CLOSING;
        loop {
            let (dir, settings) = (self.dir.clone(), self.settings.clone());
            // Opening reads what is there: not on a thread that others need.
            let opened = tokio::task::spawn_blocking(move || EmbeddedBroker::open(&dir, settings)).await;
            match opened.unwrap_or(Err(BrokerError::Closed { what: "the process" })) {
                // Whoever used it last is still closing it.
                Err(BrokerError::Locked { .. }) if Instant::now() < deadline => sleep(LOOK).await,
                Err(error) => return Err(error.into()),
                Ok(log) => {
                    log.create_topic(&TopicSpec::new(TOPIC, 1)).await?;
                    self.state().log = Some(log.clone());
                    return Ok(log);
                }
            }
        }
    }

    /// Closes its log; what is in it stays.
    pub(super) async fn close(&self) {
        let log = self.state().log.take();
        // Closing waits for threads. It cannot fail, and a panic in it has been reported by the panic hook.
        let _closed = tokio::task::spawn_blocking(move || drop(log)).await;
    }

    /// Begins an append; `false` when it is sealed.
    pub(super) fn begin(&self) -> bool {
        let mut state = self.state();
        state.writing = !state.sealed;
        state.writing
    }

    /// Ends an append.
    pub(super) fn end(&self) {
        self.state().writing = false;
    }

    /// Lets nothing more be appended; `false` while an append is under way.
    pub(super) fn seal(&self) -> bool {
        let mut state = self.state();
        state.sealed |= !state.writing;
        state.sealed
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.state().sealed
    }

    /// Counts records that are, or are about to be, in it.
    pub(super) fn add(&self, bytes: u64, records: u64) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.records.fetch_add(records, Ordering::AcqRel);
        self.written.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Counts records no longer; returns the bytes that are free, at most those that were counted.
    pub(super) fn take(&self, bytes: u64, records: u64) -> u64 {
        let less = |by: u64| move |held: u64| Some(held.saturating_sub(by));
        let freed = self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, less(bytes));
        let _fewer = self.records.fetch_update(Ordering::AcqRel, Ordering::Acquire, less(records));
        freed.unwrap_or_default().min(bytes)
    }

    /// Records in it that are not drained. After an append whose outcome is unknown it may be more than there are.
    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Acquire)
    }

    /// Bytes that were appended to it by this process.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    pub(super) fn drained_to(&self, offset: u64) {
        self.position.fetch_max(offset, Ordering::AcqRel);
    }

    /// What its lock guards is whole after every statement.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
