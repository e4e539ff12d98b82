//! A page of series that are read where they are kept, with every scrape.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::names::Name;
use crate::runtime::Latency;

pub(super) type Labels = Vec<(&'static str, String)>;

/// The labels and one more.
pub(super) fn with(labels: &Labels, key: &'static str, value: impl ToString) -> Labels {
    let mut labels = labels.clone();
    labels.push((key, value.to_string()));
    labels
}

/// Writes series of one name after the other.
pub(super) struct Page<'a>(pub(super) DescriptorEncoder<'a>);

impl Page<'_> {
    pub(super) fn counters<T>(
        &mut self,
        name: Name,
        rows: &[(Labels, T)],
        read: impl Fn(&T) -> u64,
    ) -> fmt::Result {
        if rows.is_empty() {
            return Ok(());
        }
        let mut series = self.0.encode_descriptor(name.name, name.help, None, MetricType::Counter)?;
        for (labels, row) in rows {
            series.encode_family(labels)?.encode_counter::<NoLabelSet, u64, u64>(&read(row), None)?;
        }
        Ok(())
    }

    pub(super) fn gauges<T>(&mut self, name: Name, rows: &[(Labels, T)], read: impl Fn(&T) -> f64) -> fmt::Result {
        self.gauges_if(name, rows, |row| Some(read(row)))
    }

    pub(super) fn gauges_if<T>(
        &mut self,
        name: Name,
        rows: &[(Labels, T)],
        read: impl Fn(&T) -> Option<f64>,
    ) -> fmt::Result {
        if rows.is_empty() {
            return Ok(());
        }
        let mut series = self.0.encode_descriptor(name.name, name.help, None, MetricType::Gauge)?;
        for (labels, row) in rows {
            if let Some(value) = read(row) {
                series.encode_family(labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    /// Nothing while nothing was measured.
    pub(super) fn quantiles<T>(
        &mut self,
        name: Name,
        rows: &[(Labels, T)],
        read: impl Fn(&T) -> Latency,
    ) -> fmt::Result {
        let mut all = Vec::new();
        for (labels, row) in rows {
            let latency = read(row);
            let values = [("0.5", latency.p50_ns), ("0.99", latency.p99_ns), ("1", latency.max_ns)];
            let values = values.into_iter().filter(|_| latency.count > 0);
            all.extend(values.map(|(quantile, ns)| (with(labels, "quantile", quantile), ns as f64 / 1e9)));
        }
        self.gauges(name, &all, |seconds| *seconds)
    }
}
