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
        // What the system tells of a processor may go back a little.
        let now = Self::now();
        now.stolen.saturating_sub(self.stolen) as f64 / now.all.saturating_sub(self.all).max(1) as f64
    }
}

/// The median of some numbers, and between what it lies with a probability of 95 %.
#[derive(Debug)]
pub(crate) struct Range95 {
    median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Range95 {
    /// By order: how many of `n` lie below the median is binomial with a probability of a half each, so it lies between the
    /// `k`-th from either end where fewer than `k` are below it in at most 2.5 % of cases. `None` of fewer than six, which
    /// have no such `k`.
    pub(crate) fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        let n = numbers.len();
        let (mut chance, mut fewer, mut below) = (0.5_f64.powi(i32::try_from(n).ok()?), 0.0, 0);
        while fewer + chance <= 0.025 && below < n {
            fewer += chance;
            chance *= (n - below) as f64 / (below + 1) as f64;
            below += 1;
        }
        let at = |place: usize| (numbers[place] * 100.0).round() / 100.0;
        (below > 0).then(|| Self { median: at(n / 2), low: at(below - 1), high: at(n - below) })
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "median": self.median, "from": self.low, "to": self.high })
    }
}
