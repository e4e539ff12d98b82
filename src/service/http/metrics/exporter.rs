//! Everything that this process measures, for one `GET /metrics`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::backfills::Jobs;
use super::http::Families;
use super::runs::Runs;
use super::spans::Spans;
use super::{HttpMetrics, names};
use crate::control::backfill::BackfillMetrics;
use crate::runtime::Metrics;

/// Of what [`Exporter::text`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a process measures. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Exporter {
    registry: Arc<Mutex<Registry>>,
    http: Families,
    runs: Runs,
    jobs: Jobs,
}

impl Exporter {
    /// With the series of servers and runs, still empty.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(names::PREFIX);
        let http = Families::default();
        http.register(&mut registry);
        let runs = Runs::default();
        registry.register_collector(Box::new(runs.clone()));
        let jobs = Jobs::default();
        registry.register_collector(Box::new(jobs.clone()));
        registry.register_collector(Box::new(Spans));
        Self { registry: Arc::new(Mutex::new(registry)), http, runs, jobs }
    }

    /// For the server of this name, the same for every server of one name.
    pub fn http(&self, server: &str) -> HttpMetrics {
        HttpMetrics::new(server, self.http.clone())
    }

    /// Reads this run with every scrape, until it has ended and is let go elsewhere.
    pub fn watch_run(&self, topology: &str, metrics: &Arc<Metrics>) {
        self.runs.watch(topology, metrics);
    }

    /// Reads these jobs with every scrape, while their spout lives.
    pub fn watch_backfills(&self, topology: &str, metrics: BackfillMetrics) {
        self.jobs.watch(topology, metrics);
    }

    /// Registers series of one's own, under the prefix `squall`: counters, gauges and histograms of `prometheus_client`,
    /// or a collector that is asked with every scrape. Names must differ from all others, and labels have few values.
    ///
    /// ```
    /// use prometheus_client::metrics::counter::Counter;
    /// use squall::service::http::metrics::Exporter;
    ///
    /// let exporter = Exporter::new();
    /// let spilled: Counter = Counter::default();
    /// exporter.register(|registry| registry.register("spilled_records", "Records on the local disk", spilled.clone()));
    /// spilled.inc_by(2);
    /// assert!(exporter.text().contains("squall_spilled_records_total 2\n"));
    /// ```
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.registry())
    }

    /// Everything, now.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a string cannot fail, and a value that cannot be written is left out.
        let _infallible = encode(&mut text, &self.registry());
        text
    }

    /// A panic while something was registered leaves what was registered before.
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Exporter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}
