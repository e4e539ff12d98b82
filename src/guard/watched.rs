//! A permit whose call may be given up.

use std::time::Duration;

use super::{Clock, SharedPermit, Verdict};

impl SharedPermit {
    /// Has `fails` say, of how long the call has been waited for and of what time it is, whether it counts as failed when it
    /// is given up: callers who all give up before a call may be over would otherwise never open the breaker.
    pub fn watched<F: Fn(Duration, Duration) -> bool>(self, clock: Clock, fails: F) -> WatchedPermit<F> {
        WatchedPermit { permit: Some(self), began: clock.now(), clock, fails }
    }
}

/// Leave for one call that its caller may give up. Dropped without an outcome it counts as failed, if it is to, and
/// nowhere otherwise.
#[derive(Debug)]
#[must_use = "a permit that is dropped gives its slot back at once"]
pub struct WatchedPermit<F: Fn(Duration, Duration) -> bool> {
    /// `None` once recorded.
    permit: Option<SharedPermit>,
    began: Duration,
    clock: Clock,
    fails: F,
}

impl<F: Fn(Duration, Duration) -> bool> WatchedPermit<F> {
    /// Tells the outcome of the call, which has taken the time since the permit is watched.
    pub fn record(mut self, verdict: Verdict) {
        self.tell(verdict, self.clock.now());
    }

    fn tell(&mut self, verdict: Verdict, now: Duration) {
        if let Some(permit) = self.permit.take() {
            permit.record(verdict, now.saturating_sub(self.began), now);
        }
    }
}

impl<F: Fn(Duration, Duration) -> bool> Drop for WatchedPermit<F> {
    fn drop(&mut self) {
        let now = self.clock.now();
        if self.permit.is_some() && (self.fails)(now.saturating_sub(self.began), now) {
            self.tell(Verdict::Failure, now);
        }
    }
}
