//! A breaker that many tasks share.

use std::sync::PoisonError;
use std::time::Duration;

use super::super::sync::{Arc, Mutex, MutexGuard};
use super::call::{BreakerState, BreakerStatus, Permit, Refusal, Verdict};
use super::machine::Breaker;
use super::settings::BreakerSettings;

/// A handle of a breaker; all clones are of the same one. Its lock is held for a few instructions, never while a call
/// is made.
#[derive(Debug, Clone)]
pub struct SharedBreaker(Arc<Mutex<Breaker>>);

impl SharedBreaker {
    /// A breaker that is closed and admits all.
    pub fn new(settings: BreakerSettings) -> Self {
        Self(Arc::new(Mutex::new(Breaker::new(settings))))
    }

    /// Asks for leave to make a call. While half-open, exactly as many of any number of callers get it as there are
    /// slots for probes.
    ///
    /// # Errors
    /// The call may not go now.
    pub fn acquire(&self, now: Duration) -> Result<SharedPermit, Refusal> {
        let permit = self.lock().acquire(now)?;
        Ok(SharedPermit { breaker: self.clone(), permit: Some(permit) })
    }

    /// Where it stands.
    pub fn state(&self, now: Duration) -> BreakerState {
        self.lock().state(now)
    }

    /// Where it stands, since when and why.
    pub fn status(&self, now: Duration) -> BreakerStatus {
        self.lock().status(now)
    }

    fn lock(&self) -> MutexGuard<'_, Breaker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave for one call. Dropped without an outcome (the call was given up, its task aborted) it gives its slot back
/// and counts nowhere.
#[derive(Debug)]
#[must_use = "a permit that is dropped gives its slot back at once"]
pub struct SharedPermit {
    breaker: SharedBreaker,
    /// `None` once recorded.
    permit: Option<Permit>,
}

impl SharedPermit {
    /// Tells the outcome of the call, and how long it took.
    pub fn record(mut self, verdict: Verdict, took: Duration, now: Duration) {
        if let Some(permit) = self.permit.take() {
            self.breaker.lock().record(permit, verdict, took, now);
        }
    }
}

impl Drop for SharedPermit {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.breaker.lock().release(permit);
        }
    }
}
