//! Appends to the log, or else to the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::drain::drain;
use super::settings::DurableSettings;
use super::status::{DurableStatus, Health};
use super::store::Spill;
use super::{DurableError, SpillError};
use crate::broker::{Append, BrokerError, Producer};
use crate::guard::{Clock, SharedBreaker, Verdict};
use crate::service::http::Deadline;
use crate::topology::{Class, Classify};

/// A wait that a log which works may exceed now and then.
const GREAT_HURRY: Duration = Duration::from_millis(200);
/// Bytes of room below which a spill counts as full: what a request may bring.
const ROOM: u64 = 2 * 1024 * 1024;

/// Where records are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Durable {
    /// In the log.
    Log,
    /// On this disk; the log gets them when it is back. They may be in the log too.
    Spill,
}

/// A producer whose appends are durable whether the log is there or not, up to a bound; see the [module](super).
///
/// Shared by all tasks of a process. [`close`](Self::close) it at the end.
pub struct DurableProducer {
    inner: Arc<Inner>,
    drain: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct Inner {
    pub(super) log: Arc<dyn Producer>,
    pub(super) spill: Spill,
    pub(super) breaker: SharedBreaker,
    pub(super) clock: Clock,
    pub(super) settings: DurableSettings,
    stop: watch::Sender<bool>,
    /// When the log last acknowledged something, in nanoseconds by the clock; 0 = never.
    acknowledged: AtomicU64,
    to_log: AtomicU64,
    to_spill: AtomicU64,
    unavailable: AtomicU64,
}

impl DurableProducer {
    /// Opens the spill and begins to drain what is in it. The log need not be there; see
    /// [`LateBroker`](crate::broker::LateBroker).
    ///
    /// # Errors
    /// As [`Spill::open`].
    pub async fn open(
        log: Arc<dyn Producer>,
        settings: DurableSettings,
        clock: Clock,
    ) -> Result<Self, SpillError> {
        let (spill, reader) = Spill::open(settings.spill.clone(), clock).await?;
        let (stop, stopped) = watch::channel(false);
        let inner = Arc::new(Inner {
            log,
            spill,
            breaker: SharedBreaker::new(settings.breaker),
            clock,
            settings,
            stop,
            acknowledged: AtomicU64::new(0),
            to_log: AtomicU64::new(0),
            to_spill: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
        });
        let drain = tokio::spawn(drain(inner.clone(), reader, stopped));
        Ok(Self { inner, drain: Mutex::new(Some(drain)) })
    }

    /// Appends `records` and returns when all of them are durable: by the log's acknowledgement, or, when the log fails,
    /// takes longer than [`ack_wait`](DurableSettings::ack_wait) or is left alone, on the disk. Those of one call that
    /// go to one partition keep their order.
    ///
    /// At most half of the time that is left until the deadline is spent on the log; by a caller in a great hurry all of it,
    /// while others find that the log works: its disk is for when it does not.
    ///
    /// Dropped, it leaves it unknown which records were appended.
    ///
    /// # Errors
    /// Any [`DurableError`]: nothing is promised of these records, though some may be durable. Appending them again may
    /// duplicate them.
    pub async fn append(
        &self,
        topic: &str,
        records: Vec<Append>,
        deadline: Deadline,
    ) -> Result<Durable, DurableError> {
        let inner = &self.inner;
        if *inner.stop.borrow() {
            return Err(DurableError::Stopping);
        }
        if deadline.left().is_zero() {
            return Err(DurableError::Late);
        }
        let count = records.len() as u64;
        match inner.append_to_log(topic, &records, deadline).await {
            Ok(true) => {
                inner.to_log.fetch_add(count, Ordering::Relaxed);
                return Ok(Durable::Log);
            }
            Ok(false) => {}
            Err(error) => {
                if let DurableError::Late = error {
                    inner.unavailable.fetch_add(count, Ordering::Relaxed);
                }
                return Err(error);
            }
        }
        let spilled = match deadline.bound(inner.spill.append(topic, records)).await {
            Ok(spilled) => spilled.map_err(|error| inner.refused(error)),
            Err(_) => Err(DurableError::Late),
        };
        let counter = if spilled.is_ok() { &inner.to_spill } else { &inner.unavailable };
        counter.fetch_add(count, Ordering::Relaxed);
        spilled.map(|()| Durable::Spill)
    }

    /// How it stands.
    pub fn status(&self) -> DurableStatus {
        let inner = &self.inner;
        let log = inner.breaker.status(inner.clock.now());
        DurableStatus {
            to_log: inner.to_log.load(Ordering::Relaxed),
            to_spill: inner.to_spill.load(Ordering::Relaxed),
            unavailable: inner.unavailable.load(Ordering::Relaxed),
            log: log.state.as_str(),
            log_reason: log.reason,
            spill: inner.spill.status(),
        }
    }

    /// Whether it can do what it is for.
    pub fn health(&self) -> Health {
        self.status().health(ROOM.min(self.inner.settings.spill.max_bytes / 2))
    }

    /// Takes no more records, finishes those under way and ends the drain. What is in the spill stays for the next
    /// start. Takes no longer than the appends that are under way.
    pub async fn close(&self) {
        self.inner.stop.send_replace(true);
        let drain = self.drain.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.inner.spill.close().await;
        if let Some(drain) = drain {
            // A panic in it has been reported by the panic hook.
            let _ended = drain.await;
        }
        self.inner.spill.close_segments().await;
    }
}

/// Ends the drain at its next step; [`close`](DurableProducer::close) also waits for it.
impl Drop for DurableProducer {
    fn drop(&mut self) {
        self.inner.stop.send_replace(true);
    }
}

impl Inner {
    /// Whether the log has acknowledged them.
    async fn append_to_log(
        &self,
        topic: &str,
        records: &[Append],
        deadline: Deadline,
    ) -> Result<bool, DurableError> {
        let began = self.clock.now();
        let Ok(permit) = self.breaker.acquire(began) else { return Ok(false) };
        let (ack_wait, left) = (self.settings.ack_wait, deadline.left());
        let hurry = left / 2 < GREAT_HURRY.min(ack_wait / 2);
        let works = self.acknowledged_within(ack_wait, began);
        let wait = ack_wait.min(if hurry && works { left } else { left / 2 });
        // One who hangs up says as much as one whose time was over, also as the probe: the next one may hang up too.
        let permit = permit.watched(self.clock, |waited, now| {
            waited >= GREAT_HURRY.min(ack_wait / 2) && !self.acknowledged_within(ack_wait, now)
        });
        let outcome = timeout(wait, self.log.append(topic, records.to_vec())).await;
        match outcome {
            Ok(Ok(_)) => {
                self.acknowledged.fetch_max(self.clock.now().as_nanos() as u64, Ordering::Relaxed);
                permit.record(Verdict::Success);
                Ok(true)
            }
            Ok(Err(error)) if error.class() == Class::Poison => {
                permit.record(Verdict::Ignored);
                Err(DurableError::Refused { reason: error.to_string() })
            }
            Ok(Err(error)) => {
                permit.record(Verdict::Failure);
                tracing::debug!(%error, "the log did not take records");
                Ok(false)
            }
            Err(_) => {
                // A caller in a great hurry says nothing about the log.
                let verdict = if hurry { Verdict::Ignored } else { Verdict::Failure };
                permit.record(verdict);
                tracing::debug!(after_ms = wait.as_millis() as u64, "the log did not acknowledge records in time");
                if hurry && works { Err(DurableError::Late) } else { Ok(false) }
            }
        }
    }

    /// Whether the log acknowledged something at most so long before `at`.
    fn acknowledged_within(&self, time: Duration, at: Duration) -> bool {
        let last = Duration::from_nanos(self.acknowledged.load(Ordering::Relaxed));
        !last.is_zero() && at.saturating_sub(last) <= time
    }

    fn refused(&self, error: SpillError) -> DurableError {
        match error {
            SpillError::TooLarge { .. } => DurableError::Refused { reason: error.to_string() },
            SpillError::Closed => DurableError::Stopping,
            SpillError::Disk(inner) if matches!(*inner, BrokerError::TooLarge { .. }) => {
                DurableError::Refused { reason: inner.to_string() }
            }
            source => DurableError::Unavailable { retry_after: self.settings.full_retry_after, source },
        }
    }
}
