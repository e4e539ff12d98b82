//! What the handlers share.

use std::sync::Arc;

use squall::service::http::Deadline;
use squall::service::read::LagWatch;

use super::QuerySettings;
use super::api::Freshness;
use super::read::{Reader, Sources};

/// The service. Clones are the same.
#[derive(Clone)]
pub struct QueryState(Arc<Shared>);

struct Shared {
    reader: Reader,
    lag: Option<LagWatch>,
    settings: QuerySettings,
}

impl QueryState {
    /// Asks nothing yet. Without `lag` answers do not say how far the topology is behind.
    pub fn new(sources: Sources, lag: Option<LagWatch>, settings: QuerySettings) -> Self {
        Self(Arc::new(Shared { reader: Reader::new(sources, settings), lag, settings }))
    }

    /// Reads both stores.
    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// Its bounds.
    pub fn settings(&self) -> &QuerySettings {
        &self.0.settings
    }

    /// The time that a request has, of which `given` was given to it.
    pub(super) fn deadline(&self, given: Option<Deadline>) -> Deadline {
        let own = Deadline::after(self.0.settings.request);
        given.map_or(own, |given| given.min(own))
    }

    /// How fresh an answer is.
    pub(super) fn freshness(&self, newest_at: Option<i64>, as_of: i64) -> Freshness {
        let lag = self.0.lag.as_ref().and_then(LagWatch::standing);
        Freshness { newest_at, lag: lag.map(|lag| lag.records), lag_ms: lag.and_then(|lag| lag.age_ms), as_of }
    }
}
