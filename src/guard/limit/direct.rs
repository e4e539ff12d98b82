//! A limit of one thing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::gcra::{Due, pass, settle};
use super::{Exceeded, Limit, LiveLimit};

/// Lets as many pass as its limit says. Callers share it by reference.
#[derive(Debug)]
pub struct Direct {
    limit: LiveLimit,
    state: Mutex<State>,
}

/// Behind a lock, for a few instructions each: a limit that was changed is applied by the latest time, which two atomics
/// would not know of each other.
#[derive(Debug, Default)]
struct State {
    due: Option<Due>,
    latest: Duration,
}

impl Direct {
    /// A limiter that follows this limit.
    pub fn new(limit: LiveLimit) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Whether one would pass now. It counts for nothing: another may take its place.
    ///
    /// # Errors
    /// [`Exceeded`].
    pub fn look(&self, now: Duration) -> Result<(), Exceeded> {
        self.ask(now, |_, _| {})
    }

    /// Lets one pass, which counts from then on.
    ///
    /// # Errors
    /// [`Exceeded`]; it does not count.
    pub fn take(&self, now: Duration) -> Result<(), Exceeded> {
        self.ask(now, |state, due| state.due = Some(due))
    }

    /// The limit that it follows.
    pub fn limit(&self) -> &LiveLimit {
        &self.limit
    }

    fn ask(&self, now: Duration, keep: impl FnOnce(&mut State, Due)) -> Result<(), Exceeded> {
        let Some(limit) = self.limit.limit() else { return Ok(()) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let due = state.pass(limit, now)?;
        keep(&mut state, due);
        Ok(())
    }
}

impl State {
    fn pass(&mut self, limit: Limit, now: Duration) -> Result<Due, Exceeded> {
        self.latest = self.latest.max(now);
        if let Some(due) = &mut self.due {
            settle(limit, due, self.latest);
        }
        pass(limit, self.due, self.latest)
    }
}
