//! A call to a store: whether it may go, how long it may take, and what its outcome says of the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use crate::guard::{BreakerSettings, BreakerStatus, Clock, Refusal, SharedBreaker, Verdict};
use crate::service::http::Deadline;
use crate::store::StoreError;
use crate::topology::{Class, Classify};

/// A wait after which a store that has not answered is to blame, whatever its step.
const ENOUGH: Duration = Duration::from_millis(50);

/// Bounds of the calls to a store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateSettings {
    /// What one call may take.
    pub step: Duration,
    /// Calls under way at a time, over all interfaces.
    pub max_in_flight: usize,
    /// How long a call waits for one of those to end.
    pub max_wait: Duration,
    /// When an interface stops calling.
    pub breaker: BreakerSettings,
}

/// Why a store gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// The breaker lets no call go.
    #[error("{store} is left alone: {refusal}")]
    Refused {
        /// Which store.
        store: &'static str,
        /// Why, and for how long.
        refusal: Refusal,
    },
    /// As many calls as may be are under way.
    #[error("{store} has as many calls under way as it may have")]
    Busy {
        /// Which store.
        store: &'static str,
    },
    /// The call took longer than its step.
    #[error("{store} gave no answer within {after_ms} ms")]
    Slow {
        /// Which store.
        store: &'static str,
        /// The bound in milliseconds.
        after_ms: u64,
    },
    /// The request's own time was over: this says nothing of the store.
    #[error("the time of the request is over")]
    Late,
    /// What the store said.
    #[error(transparent)]
    Store(Arc<StoreError>),
}

impl Unread {
    /// When asking again makes sense; a second where nobody knows.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Refused { refusal, .. } => refusal.retry_after,
            _ => Duration::from_secs(1),
        }
    }

    /// What is wrong in a few words, for callers: nothing that a server said of itself.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "left alone by its breaker",
            Self::Busy { .. } => "too many calls",
            Self::Slow { .. } => "no answer in time",
            Self::Late => "the time of the request was over",
            Self::Store(_) => "failed",
        }
    }
}

/// The way of one interface to a store. Clones share everything; [`beside`](Self::beside) makes the way of another one,
/// with a breaker of its own: what one interface asks for may fail while that of another works. How many calls are under
/// way is bounded for all of them together.
#[derive(Clone)]
pub struct ReadGate {
    store: &'static str,
    settings: GateSettings,
    permits: Arc<Semaphore>,
    breaker: SharedBreaker,
    /// When the store last gave an answer here, in nanoseconds by the clock; 0 = never.
    answered: Arc<AtomicU64>,
    clock: Clock,
}

impl ReadGate {
    /// The first way to a store.
    pub fn new(store: &'static str, settings: GateSettings) -> Self {
        let permits = Arc::new(Semaphore::new(settings.max_in_flight.clamp(1, Semaphore::MAX_PERMITS)));
        let breaker = SharedBreaker::new(settings.breaker);
        Self { store, settings, permits, breaker, answered: Arc::default(), clock: Clock::new() }
    }

    /// The way of another interface, each call of which may take `step`.
    pub fn beside(&self, step: Duration) -> Self {
        let settings = GateSettings { step, ..self.settings };
        let breaker = SharedBreaker::new(settings.breaker);
        Self { settings, breaker, answered: Arc::default(), ..self.clone() }
    }

    /// The same way for calls that may wait `max_wait` for others to end: what nobody waits for.
    pub fn waiting(self, max_wait: Duration) -> Self {
        Self { settings: GateSettings { max_wait, ..self.settings }, ..self }
    }

    /// What one call and the wait for it may take together.
    pub fn patience(&self) -> Duration {
        self.settings.step.saturating_add(self.settings.max_wait)
    }

    /// Where its breaker stands.
    pub fn status(&self) -> BreakerStatus {
        self.breaker.status(self.clock.now())
    }

    /// Makes a call, within its step and `deadline`. What fails by the call itself (a row that cannot be read, a key out of
    /// bounds) counts for nothing, and so does what ends with the request's own time or is dropped, as when its caller hangs
    /// up, unless it had half a step or 50 ms and nobody had an answer for a step: only the store's own failures open the
    /// breaker. Cancel-safe.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn call<T>(
        &self,
        deadline: Deadline,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Unread> {
        let holding = |permit: OwnedSemaphorePermit| async move {
            let _one = permit;
            work.await
        };
        self.call_with(deadline, holding).await
    }

    /// [`call`](Self::call), for a store that goes on with what nobody waits for any more: that counts as under way until it
    /// has ended by the bound of its own that it must have. So no more than the bound are under way in the store either.
    ///
    /// # Errors
    /// Those of `call`.
    ///
    /// # Panics
    /// When `work` does.
    pub async fn call_to_its_end<T: Send + 'static>(
        &self,
        deadline: Deadline,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Unread> {
        let store = self.store;
        let apart = |permit: OwnedSemaphorePermit| async move {
            let ended = tokio::spawn(async move {
                let _one = permit;
                work.await
            });
            ended.await.unwrap_or_else(|gone| match gone.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StoreError::Unavailable { store, reason: "the process ends".to_owned() }),
            })
        };
        self.call_with(deadline, apart).await
    }

    /// Makes a call that holds its place among those under way for as long as it likes.
    async fn call_with<T, W: Future<Output = Result<T, StoreError>>>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(OwnedSemaphorePermit) -> W,
    ) -> Result<T, Unread> {
        let store = self.store;
        if deadline.left().is_zero() {
            return Err(Unread::Late);
        }
        let place = self.permits.clone().acquire_owned();
        let waited = timeout_at(deadline.within(self.settings.max_wait).at(), place).await;
        let Ok(permit) = waited else {
            return Err(if deadline.left().is_zero() { Unread::Late } else { Unread::Busy { store } });
        };
        let permit = permit.expect("the semaphore is never closed");
        let started = self.clock.now();
        let leave = self.breaker.acquire(started).map_err(|refusal| Unread::Refused { store, refusal })?;
        // One who hangs up says as much as one whose time was over.
        let leave = leave.watched(self.clock, |waited, now| {
            waited >= self.enough() && !self.answered_within(self.settings.step, now)
        });
        // A request that has less time left than a call may take says little of the store by giving up: nothing while others
        // have answers. If it never did, callers that all are in a hurry would wait for a store that hangs again and again,
        // each as the probe of a breaker that stays half-open.
        let (left, step) = (deadline.left(), self.settings.step);
        let works = self.answered_within(step, started);
        let says_nothing = left < self.enough() || works;
        let hasty = if says_nothing { Verdict::Ignored } else { Verdict::Failure };
        let ended = timeout_at(deadline.within(step).at(), work(permit)).await;
        let (verdict, result) = match ended {
            Ok(Ok(answer)) => (Verdict::Success, Ok(answer)),
            Ok(Err(error)) if error.class() == Class::Poison => {
                (Verdict::Ignored, Err(Unread::Store(Arc::new(error))))
            }
            Ok(Err(error)) => (Verdict::Failure, Err(Unread::Store(Arc::new(error)))),
            Err(_) if left < step => (hasty, Err(Unread::Late)),
            Err(_) => {
                let after_ms = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
                (Verdict::Failure, Err(Unread::Slow { store, after_ms }))
            }
        };
        if verdict == Verdict::Success {
            self.answered.fetch_max(self.clock.now().as_nanos() as u64, Ordering::Relaxed);
        }
        leave.record(verdict);
        result
    }

    /// How long a call must have been waited for to say something of the store by not being waited for any more.
    fn enough(&self) -> Duration {
        ENOUGH.min(self.settings.step / 2)
    }

    /// Whether the store gave somebody an answer at most so long before `at`.
    fn answered_within(&self, time: Duration, at: Duration) -> bool {
        let answered = Duration::from_nanos(self.answered.load(Ordering::Relaxed));
        !answered.is_zero() && at.saturating_sub(answered) <= time
    }
}
