//! How the services and the topology stand, for `/readyz` and `/metrics`: looked at once a second.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use squall::delivery::{Accepts, SinkState};
use squall::guard::BreakerState;
use squall::service::http::ReadyPart;
use squall::service::http::metrics::Exporter;
use squall::service::spill::{DurableStatus, Health};
use squall::store::{Rows, Timelines};
use tokio::task::JoinSet;
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
        say_collector(&part, &status, collector.settings().max_body_bytes as u64);
        sleep(LOOK).await;
    }
}

/// Whether there is room for a request of so many bytes, and what of the way of its records is away.
fn say_collector(part: &ReadyPart, status: &DurableStatus, room: u64) {
    let spill = &status.spill;
    let waiting =
        format!("{} records wait on the disk, {} of {} bytes", spill.records, spill.bytes, spill.max_bytes);
    let away = status.log != BreakerState::Closed.as_str();
    match status.health(room) {
        Health::Well => part.ready(),
        Health::Down(_) if spill.failure.is_some() => {
            part.not_ready(format!("the log is away, and the disk in front of it fails: {waiting}"));
        }
        Health::Down(_) => {
            part.not_ready(format!("the log is away, and no more can be kept in front of it: {waiting}"));
        }
        Health::Degraded(_) if away => part.degraded(format!("the log is away: {waiting}")),
        Health::Degraded(_) if spill.failure.is_some() => {
            part.degraded(format!("the disk in front of the log fails: {waiting}"));
        }
        Health::Degraded(_) => part.degraded(format!("the log is back: {waiting}")),
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

/// Says again and again whether there is a store to answer from: one is enough, or some of the timelines' nodes.
pub(super) async fn watch_query(
    part: ReadyPart,
    figures: QueryFigures,
    query: QueryState,
    (timelines, rows): (Arc<dyn Timelines>, Arc<dyn Rows>),
) {
    loop {
        figures.show(query.reader());
        let (away, rows) = tokio::join!(nodes_away(&timelines), answers(rows.ping()));
        say_query(&part, (away, timelines.nodes()), rows);
        sleep(LOOK).await;
    }
}

/// How many nodes do not answer.
async fn nodes_away(timelines: &Arc<dyn Timelines>) -> usize {
    let pings: JoinSet<bool> = (0..timelines.nodes())
        .map(|node| {
            let timelines = timelines.clone();
            async move { answers(timelines.ping_node(node)).await }
        })
        .collect();
    pings.join_all().await.into_iter().filter(|there| !there).count()
}

async fn answers<E>(ping: impl Future<Output = Result<(), E>>) -> bool {
    timeout(PATIENCE, ping).await.is_ok_and(|pong| pong.is_ok())
}

/// What of the stores is there: so many of so many nodes of the timelines are away, and the rows or not.
fn say_query(part: &ReadyPart, (away, nodes): (usize, usize), rows: bool) {
    let which = if away == nodes {
        "the timelines do".to_owned()
    } else {
        format!("{away} of {nodes} nodes of the timelines do")
    };
    match (away, rows) {
        (0, true) => part.ready(),
        (0, false) => part.degraded("the rows do not answer: lists may lack what the timelines do not keep"),
        (_, true) => part.degraded(format!("{which} not answer: lists of their users come from the rows")),
        (_, false) if away < nodes => {
            part.degraded(format!("{which} not answer, nor do the rows: their users have no lists"));
        }
        (_, false) => part.not_ready("neither the timelines nor the rows answer"),
    }
}

/// Says again and again what the guards of the stores let through. It is ready whatever that is: what a store does not take
/// waits for it.
pub(in crate::commands) async fn watch_topology(part: ReadyPart, guards: [Arc<SinkState>; 2]) {
    loop {
        say_topology(&part, guards.iter().map(|guard| (guard.name(), guard.accepts())));
        sleep(LOOK).await;
    }
}

fn say_topology<'a>(part: &ReadyPart, stores: impl Iterator<Item = (&'a str, Accepts)>) {
    let away = stores.filter(|(_, accepts)| *accepts != Accepts::Rows);
    let away: Vec<String> =
        away.map(|(store, _)| format!("nothing is written to the {store}: it waits")).collect();
    if away.is_empty() {
        part.ready();
    } else {
        part.degraded(away.join("; "));
    }
}

#[cfg(test)]
mod tests {
    use squall::service::http::Readiness;
    use squall::service::spill::SpillStatus;

    use super::*;

    /// What the part says: whether it is ready, and why not quite.
    fn said(readiness: &Readiness) -> (bool, String) {
        let texts = [readiness.reasons(), readiness.degraded()].concat();
        (readiness.is_ready(), texts.into_iter().map(|(_, reason)| reason).collect())
    }

    #[test]
    fn a_collector_says_what_of_its_way_is_away() {
        let readiness = Readiness::default();
        let part = readiness.part("collector");
        let waits = |bytes| format!("3 records wait on the disk, {bytes} of 100 bytes");
        for (log, bytes, records, failure, ready, text) in [
            ("closed", 0, 0, None, true, String::new()),
            ("closed", 40, 3, None, true, format!("the log is back: {}", waits(40))),
            (
                "closed",
                40,
                3,
                Some("no space"),
                true,
                format!("the disk in front of the log fails: {}", waits(40)),
            ),
            ("half-open", 40, 3, None, true, format!("the log is away: {}", waits(40))),
            (
                "open",
                95,
                3,
                None,
                false,
                format!("the log is away, and no more can be kept in front of it: {}", waits(95)),
            ),
        ] {
            let failure = failure.map(str::to_owned);
            let spill = SpillStatus { records, bytes, max_bytes: 100, failure, ..SpillStatus::default() };
            let (to_log, to_spill, unavailable) = (0, 0, 0);
            let status =
                DurableStatus { to_log, to_spill, unavailable, log, log_reason: "at kafka:9092".into(), spill };
            say_collector(&part, &status, 10);
            assert_eq!(said(&readiness), (ready, text), "{log} {bytes}");
        }
    }

    #[test]
    fn a_topology_is_ready_and_says_what_waits() {
        let readiness = Readiness::default();
        let part = readiness.part("topology");
        assert!(!readiness.is_ready());
        for (rows, text) in [
            (Accepts::Rows, ""),
            (Accepts::Probes, "nothing is written to the rows: it waits"),
            (Accepts::Nothing, "nothing is written to the rows: it waits"),
        ] {
            say_topology(&part, [("timelines", Accepts::Rows), ("rows", rows)].into_iter());
            assert_eq!(said(&readiness), (true, text.to_owned()), "{rows:?}");
        }
    }

    #[test]
    fn a_query_service_is_ready_as_long_as_somebody_has_a_list() {
        let readiness = Readiness::default();
        let part = readiness.part("query");
        let cases = [
            ((0, 2), true, true, ""),
            ((0, 2), false, true, "the rows do not answer: lists may lack what the timelines do not keep"),
            (
                (1, 2),
                true,
                true,
                "1 of 2 nodes of the timelines do not answer: lists of their users come from the rows",
            ),
            (
                (1, 2),
                false,
                true,
                "1 of 2 nodes of the timelines do not answer, nor do the rows: their users have no lists",
            ),
            ((1, 1), true, true, "the timelines do not answer: lists of their users come from the rows"),
            ((2, 2), false, false, "neither the timelines nor the rows answer"),
        ];
        for (nodes, rows, ready, text) in cases {
            say_query(&part, nodes, rows);
            assert_eq!(said(&readiness), (ready, text.to_owned()), "{nodes:?} {rows}");
        }
    }
}
