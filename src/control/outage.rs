//! The log away and back: how long to wait, and what to log.

use std::time::Duration;

use super::ControlSettings;
use crate::broker::BrokerError;

/// Logs once when the log goes away and once when it is back, and spaces the tries between.
#[derive(Debug)]
pub(super) struct Outage {
    what: &'static str,
    first: Duration,
    max: Duration,
    wait: Option<Duration>,
}

impl Outage {
    /// For tries of `what`.
    pub(super) fn of(what: &'static str, settings: &ControlSettings) -> Self {
        Self { what, first: settings.back_off, max: settings.back_off_max, wait: None }
    }

    /// A try failed: how long to wait for the next.
    pub(super) fn failed(&mut self, error: &BrokerError) -> Duration {
        if self.wait.is_none() {
            tracing::warn!(%error, "cannot {}; switches stay as they are, trying again until it works", self.what);
        }
        let wait = self.wait.map_or(self.first, |last| last.saturating_mul(2)).min(self.max);
        self.wait = Some(wait);
        wait
    }

    /// A try worked.
    pub(super) fn over(&mut self) {
        if self.wait.take().is_some() {
            tracing::warn!("can {} again", self.what);
        }
    }
}
