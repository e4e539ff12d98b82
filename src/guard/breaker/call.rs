//! What a breaker says to its callers, and they to it.

use std::fmt;
use std::time::Duration;

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Calls go; after an opening, a growing share of them.
    Closed,
    /// No call goes.
    Open,
    /// A few calls go, to find out whether they work.
    HalfOpen,
}

impl BreakerState {
    /// The word used in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half-open",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a breaker stands, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerStatus {
    /// Where it stands.
    pub state: BreakerState,
    /// Since when.
    pub since: Duration,
    /// Changes of state so far: a caller that sees another number than before has a change to report.
    pub changes: u64,
    /// What made it change last, as in `12 of 20 calls failed in 10 s`.
    pub reason: String,
}

/// The outcome of a call, as the breaker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The store did its work.
    Success,
    /// The store is at fault.
    Failure,
    /// Says nothing about the store: the caller's own mistake, or a call that was given up. Counts nowhere, and gives
    /// a probe's slot back.
    Ignored,
}

/// Leave for one call. Worth nothing once the breaker changed its state: outcomes of calls from before are ignored.
#[derive(Debug)]
#[must_use = "a probe's slot is taken until its permit is recorded or released"]
pub struct Permit {
    /// The breaker's changes when it was given.
    pub(super) epoch: u64,
    /// Tells a probe from the others.
    pub(super) serial: u64,
}

/// Why a call may not go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// When asking again makes sense; never zero.
    pub retry_after: Duration,
    /// Why, in a few words; [`BreakerStatus::reason`] says what the trouble is.
    pub reason: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; asking again makes sense in {} ms", self.reason, self.retry_after.as_millis().max(1))
    }
}

impl std::error::Error for Refusal {}
