//! The topologies that run in this process, read with every scrape.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::names;
use super::page::{Labels, Page, with};
use crate::runtime::{Metrics, OperatorSnapshot, Snapshot, SpoutSnapshot};

/// Runs that are read, by the name of their topology; those that were let go are forgotten.
#[derive(Clone, Default)]
pub(super) struct Runs(Arc<Mutex<Vec<Run>>>);

#[derive(Clone)]
struct Run {
    topology: String,
    metrics: Weak<Metrics>,
}

impl Runs {
    pub(super) fn watch(&self, topology: &str, metrics: &Arc<Metrics>) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|run| run.metrics.strong_count() > 0);
        runs.push(Run { topology: topology.to_owned(), metrics: Arc::downgrade(metrics) });
    }

    /// Later runs of one topology take the place of earlier ones: a series has one value.
    fn snapshots(&self) -> Vec<(String, Snapshot)> {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut found: Vec<(String, Snapshot)> = Vec::new();
        for Run { topology, metrics } in runs {
            let Some(metrics) = metrics.upgrade() else { continue };
            found.retain(|(name, _)| *name != topology);
            found.push((topology, metrics.snapshot()));
        }
        found
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runs").finish_non_exhaustive()
    }
}

impl Collector for Runs {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        write(encoder, &self.snapshots())
    }
}

fn write(encoder: DescriptorEncoder, runs: &[(String, Snapshot)]) -> fmt::Result {
    let mut operators = Vec::new();
    let mut spouts = Vec::new();
    for (topology, run) in runs {
        let of = |key, name: &str| vec![("topology", topology.clone()), (key, name.to_owned())];
        operators.extend(run.operators.iter().map(|it| (of("operator", &it.operator), it)));
        spouts.extend(run.spouts.iter().map(|it| (of("spout", &it.spout), it)));
    }
    let mut page = Page(encoder);
    operator_series(&mut page, &operators)?;
    spout_series(&mut page, &spouts)
}

fn operator_series(page: &mut Page<'_>, operators: &[(Labels, &OperatorSnapshot)]) -> fmt::Result {
    page.counters(names::OPERATOR_IN, operators, |it| it.tuples_in)?;
    page.counters(names::OPERATOR_OUT, operators, |it| it.tuples_out)?;
    page.counters(names::OPERATOR_FAILED, operators, |it| it.failed)?;
    page.counters(names::OPERATOR_RETRIED, operators, |it| it.retried)?;
    page.gauges(names::OPERATOR_QUEUE, operators, |it| it.queue_depth as f64)?;
    page.gauges(names::OPERATOR_BUSY, operators, |it| it.capacity)?;
    page.quantiles(names::OPERATOR_EXECUTE, operators, |it| it.execute)?;
    page.quantiles(names::OPERATOR_WAIT, operators, |it| it.queue)
}

fn spout_series(page: &mut Page<'_>, spouts: &[(Labels, &SpoutSnapshot)]) -> fmt::Result {
    page.gauges(names::SPOUT_PENDING, spouts, |it| it.pending as f64)?;
    page.gauges(names::SPOUT_OUTSTANDING, spouts, |it| it.outstanding as f64)?;
    page.counters(names::SPOUT_ACKED, spouts, |it| it.acked)?;
    page.counters(names::SPOUT_FAILED, spouts, |it| it.failed)?;
    page.quantiles(names::SPOUT_COMPLETE, spouts, |it| it.complete)?;
    let mut partitions = Vec::new();
    for (labels, spout) in spouts {
        partitions.extend(spout.partitions.iter().map(|it| (with(labels, "partition", it.partition), it)));
    }
    page.gauges_if(names::SPOUT_LAG, &partitions, |it| it.lag.map(|lag| lag as f64))?;
    page.gauges_if(names::SPOUT_WATERMARK, &partitions, |it| it.watermark.map(|offset| offset as f64))
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::runtime::PartitionSnapshot;

    #[derive(Debug)]
    struct Fixed(Vec<(String, Snapshot)>);

    impl Collector for Fixed {
        fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
            write(encoder, &self.0)
        }
    }

    fn run(lag: Option<u64>, watermark: Option<u64>) -> Snapshot {
        let partitions = vec![PartitionSnapshot { partition: 3, watermark, lag }];
        let spout = SpoutSnapshot { spout: "in".to_owned(), pending: 2, partitions, ..SpoutSnapshot::default() };
        Snapshot { elapsed_ms: 1, operators: Vec::new(), spouts: vec![spout] }
    }

    #[test]
    fn partitions_have_lag_and_watermark_as_far_as_they_are_known() {
        let runs = [("a", run(Some(7), Some(1_234_567_890_123))), ("b", run(None, None))];
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Fixed(runs.map(|(name, run)| (name.to_owned(), run)).into())));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for expected in [
            "\nspout_lag{topology=\"a\",spout=\"in\",partition=\"3\"} 7.0\n# ",
            "\nspout_watermark{topology=\"a\",spout=\"in\",partition=\"3\"} 1234567890123.0\n# ",
            "\nspout_pending{topology=\"b\",spout=\"in\"} 2.0\n",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
        assert_eq!(text.matches("# TYPE spout_lag ").count(), 1, "one heading for all runs");
        assert!(!text.contains("spout_complete_seconds"), "nothing was measured yet");
    }
}
