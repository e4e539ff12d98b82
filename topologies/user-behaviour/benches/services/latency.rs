//! Latencies, and how they are shown.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Latencies of one load, in microseconds.
pub(crate) struct Latencies(Histogram<u64>);

/// The longest that is told from longer ones: ten minutes.
const LONGEST_US: u64 = 600_000_000;

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("valid bounds"))
    }
}

impl Latencies {
    pub(crate) fn note(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("the same bounds");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The mean and some percentiles, in milliseconds.
    pub(crate) fn figures(&self) -> [(&'static str, f64); 6] {
        let at = |quantile: f64| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        [
            ("mean", self.0.mean() / 1000.0),
            ("p50", at(0.5)),
            ("p99", at(0.99)),
            ("p999", at(0.999)),
            ("p9999", at(0.9999)),
            ("max", self.0.max() as f64 / 1000.0),
        ]
    }

    /// The same as JSON.
    pub(crate) fn json(&self) -> Value {
        self.figures().into_iter().map(|(name, ms)| (name.to_owned(), json!(rounded(ms)))).collect()
    }

    /// The same for people.
    pub(crate) fn text(&self) -> String {
        text(self.figures())
    }
}

/// Whether a side's run is one of those that are reported. The first run of each side is not: Kafka compiles its own code
/// while it serves its first requests, with as much as one core of two, and whichever side goes first would pay for that.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counts {
    No,
    Yes,
}

impl Counts {
    /// For the line of a run.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::No => " (to warm the servers)",
            Self::Yes => "",
        }
    }
}

/// Latencies of two sides, one of each for each repeat.
pub(crate) struct Compared {
    pub(crate) name: &'static str,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) ours: Vec<Latencies>,
    pub(crate) bare: Vec<Latencies>,
}

impl Compared {
    pub(crate) fn new(name: &'static str, rate: f64) -> Self {
        Self { name, rate, ours: Vec::new(), bare: Vec::new() }
    }

    /// Prints the JSON line on standard output, and lines for people on standard error: of each figure its median over
    /// the repeats, and of p99 the least and the greatest as well.
    pub(crate) fn report(&self) {
        let mut line = json!({ "bench": format!("{}-latency", self.name), "requests_per_s": self.rate });
        for (side, latencies) in [("ours_ms", &self.ours), ("bare_ms", &self.bare)] {
            let all: Vec<_> = latencies.iter().map(Latencies::figures).collect();
            let mut medians = all[0];
            for (at, median) in medians.iter_mut().enumerate() {
                median.1 = sorted(&all, at)[all.len() / 2];
            }
            let p99 = sorted(&all, 2);
            let (least, greatest) = (p99[0], p99[p99.len() - 1]);
            let mut figures: Value =
                medians.iter().map(|(name, ms)| ((*name).to_owned(), json!(rounded(*ms)))).collect();
            figures["p99_min"] = json!(rounded(least));
            figures["p99_max"] = json!(rounded(greatest));
            line[side] = figures;
            eprintln!(
                "{:<24} {:<4} at {}/s: {}   (p99 {least:.2}–{greatest:.2})",
                self.name,
                &side[..4],
                self.rate,
                text(medians)
            );
        }
        line["repeats"] = json!(self.ours.len());
        println!("{line}");
    }
}

fn sorted(all: &[[(&'static str, f64); 6]], at: usize) -> Vec<f64> {
    let mut figures: Vec<_> = all.iter().map(|of_one| of_one[at].1).collect();
    figures.sort_by(f64::total_cmp);
    figures
}

fn text(figures: [(&'static str, f64); 6]) -> String {
    let each = figures.map(|(name, ms)| format!("{name} {ms:.2}"));
    format!("{} ms", each.join("  "))
}

fn rounded(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}
