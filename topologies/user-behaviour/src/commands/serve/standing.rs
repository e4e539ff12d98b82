//! How the services stand, for `/readyz` and `/metrics`: looked at once a second.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use squall::guard::BreakerState;
use squall::service::http::ReadyPart;
use squall::service::http::metrics::Exporter;
use squall::service::spill::{DurableStatus, Health};
use squall::store::{Rows, Timelines};
use tokio::time::{sleep, timeout};

use crate::collector::Collector;
use crate::query::QueryState;
use crate::query::read::Reader;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);
/// How long a store may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// What `/metrics` shows of the collector.
pub(super) struct CollectorFigures {
    waiting: Gauge<u64, AtomicU64>,
    waiting_bytes: Gauge<u64, AtomicU64>,
    oldest_age_ms: Gauge<u64, AtomicU64>,
    to_log: Gauge<u64, AtomicU64>,
    to_spill: Gauge<u64, AtomicU64>,
    refused: Gauge<u64, AtomicU64>,
    /// As [`Collector::counts`] has them.
    counts: [Gauge<u64, AtomicU64>; 3],
}

impl CollectorFigures {
    pub(super) fn new(exporter: &Exporter) -> Self {
        let gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            exporter.register(|registry| registry.register(name, help, Gauge::clone(&gauge)));
            gauge
        };
        Self {
            waiting: gauge("collector_spill_records", "Records that wait on the local disk"),
            waiting_bytes: gauge("collector_spill_bytes", "Their bytes"),
            oldest_age_ms: gauge("collector_spill_oldest_age_ms", "Age of the oldest of them in milliseconds"),
            to_log: gauge("collector_records_to_log", "Records that went into the log since the start"),
            to_spill: gauge("collector_records_to_spill", "Records that went to the local disk since the start"),
            refused: gauge("collector_records_unavailable", "Records for which there was no room since the start"),
            counts: [
                gauge("collector_records_accepted", "Records accepted since the start"),
                gauge("collector_records_rejected", "Records refused for what they are since the start"),
                gauge("collector_records_repeated", "Accepted records that were durable already since the start"),
            ],
        }
    }

    fn show(&self, collector: &Collector, status: &DurableStatus) {
        for (gauge, count) in self.counts.iter().zip(collector.counts()) {
            gauge.set(count);
        }
        self.waiting.set(status.spill.records);
        self.waiting_bytes.set(status.spill.bytes);
        self.oldest_age_ms.set(status.spill.oldest_age_ms.unwrap_or_default());
        self.to_log.set(status.to_log);
        self.to_spill.set(status.to_spill);
        self.refused.set(status.unavailable);
    }
}

/// Says again and again whether records can be taken. What servers say of themselves stays in the log of the process.
pub(super) async fn watch_collector(part: ReadyPart, figures: CollectorFigures, collector: Collector) {
    loop {
        let status = collector.producer().status();
        figures.show(&collector, &status);
        match status.health(collector.settings().max_body_bytes as u64) {
            Health::Down(_) => part.not_ready("the log is away, and no more can be kept in front of it"),
            Health::Well | Health::Degraded(_) => part.ready(),
        }
        sleep(LOOK).await;
    }
}

/// What `/metrics` shows of the query service.
pub(super) struct QueryFigures {
    breakers: Family<BreakerLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BreakerLabels {
    store: &'static str,
    node: u32,
    interface: &'static str,
}

impl QueryFigures {
    pub(super) fn new(exporter: &Exporter) -> Self {
        let breakers: Family<BreakerLabels, Gauge> = Family::default();
        let help = "Where the breakers stand: 0 closed, 1 half-open, 2 open";
        exporter.register(|registry| registry.register("query_breaker", help, breakers.clone()));
        Self { breakers }
    }

    fn show(&self, reader: &Reader) {
        for (store, node, interface, status) in reader.breakers() {
            let stands = match status.state {
                BreakerState::Closed => 0,
                BreakerState::HalfOpen => 1,
                BreakerState::Open => 2,
            };
            let labels = BreakerLabels { store, node: node as u32, interface: interface.as_str() };
            self.breakers.get_or_create(&labels).set(stands);
        }
    }
}

/// Says again and again whether there is a store to answer from: one is enough.
pub(super) async fn watch_query(
    part: ReadyPart,
    figures: QueryFigures,
    query: QueryState,
    (timelines, rows): (Arc<dyn Timelines>, Arc<dyn Rows>),
) {
    loop {
        figures.show(query.reader());
        let there = timeout(PATIENCE, timelines.ping()).await.is_ok_and(|pong| pong.is_ok())
            || timeout(PATIENCE, rows.ping()).await.is_ok_and(|pong| pong.is_ok());
        match there {
            true => part.ready(),
            false => part.not_ready("neither the timelines nor the rows answer"),
        }
        sleep(LOOK).await;
    }
}
