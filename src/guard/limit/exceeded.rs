//! A refusal.

use std::time::Duration;

use super::Limit;

/// More came than may pass. Whoever waits for the time it says, and is alone, passes then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit}; the next may pass in {wait:?}")]
pub struct Exceeded {
    /// What may pass.
    pub limit: Limit,
    /// How long until the next may; never zero.
    pub wait: Duration,
}
