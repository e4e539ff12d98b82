//! What a figure is worth on a machine that others use too.

use serde_json::{Value, json};

/// What the machine's processors have been busy with since it started, in ticks.
pub(crate) struct CpuTime {
    stolen: u64,
    all: u64,
}

impl CpuTime {
    /// Nothing where the system does not tell.
    pub(crate) fn now() -> Self {
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let words = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
        // What guests were given is part of what users were.
        let ticks: Vec<u64> = words.take(8).filter_map(|word| word.parse().ok()).collect();
        Self { stolen: ticks.get(7).copied().unwrap_or_default(), all: ticks.iter().sum() }
    }

    /// The share of the time since then that a host gave to others.
    pub(crate) fn stolen_since(&self) -> f64 {
        let now = Self::now();
        (now.stolen - self.stolen) as f64 / (now.all - self.all).max(1) as f64
    }
}

/// The median of some numbers, and between what it lies with a probability of 95 %.
#[derive(Debug)]
pub(crate) struct Range95 {
    median: f64,
    low: f64,
    pub(crate) high: f64,
}

impl Range95 {
    /// By order: how many of `n` are below the median is binomial, with `n/2` on average and `√n/2` of deviation. `None` of
    /// none.
    pub(crate) fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        let n = numbers.len();
        let below = ((n as f64 - 1.96 * (n as f64).sqrt()) / 2.0).max(0.0) as usize;
        let at = |place: usize| numbers.get(place).map(|number| (number * 100.0).round() / 100.0);
        Some(Self { median: at(n / 2)?, low: at(below)?, high: at((n - 1).checked_sub(below)?)? })
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "median": self.median, "from": self.low, "to": self.high })
    }
}
