//! What a figure is worth on a machine that others use too.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// How often parts are drawn anew.
const DRAWS: usize = 2_000;
/// Where the draws begin, so that the same parts have the same range.
const DRAW_SEED: u64 = 0xb007;

/// What the machine's processors have been busy with since it started, in ticks.
pub(crate) struct CpuTime {
    idle: u64,
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
        let of = |at: usize| ticks.get(at).copied().unwrap_or_default();
        // Who waits for a disk is idle.
        Self { idle: of(3) + of(4), stolen: of(7), all: ticks.iter().sum() }
    }

    /// The share of the time since then that a host gave to others.
    pub(crate) fn stolen_since(&self) -> f64 {
        self.share_since(|cpu| cpu.stolen)
    }

    /// The share of the time since then that somebody here had work to do.
    pub(crate) fn busy_since(&self) -> f64 {
        self.share_since(|cpu| cpu.all - cpu.idle - cpu.stolen)
    }

    fn share_since(&self, what: impl Fn(&Self) -> u64) -> f64 {
        // What the system tells of a processor may go back a little.
        let now = Self::now();
        what(&now).saturating_sub(what(self)) as f64 / now.all.saturating_sub(self.all).max(1) as f64
    }
}

/// A figure, and between what it lies with a probability of 95 %.
#[derive(Debug)]
pub(crate) struct Range95 {
    figure: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Range95 {
    /// The median of some numbers. By order: how many of `n` lie below the median is binomial with a probability of a half each, so it lies between the
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
        (below > 0).then(|| Self::rounded(numbers[n / 2], numbers[below - 1], numbers[n - below]))
    }

    /// A figure of `parts` parts, which are what one may be unlike another in. By drawing as many of them, some twice and some
    /// not at all, and looking at what the figure is then (Efron's bootstrap, by percentiles): too narrow with few parts.
    /// `figure` is given the places of those drawn; `None` when it has none to give for all of them.
    pub(crate) fn drawn(parts: usize, mut figure: impl FnMut(&[usize]) -> Option<f64>) -> Option<Self> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(DRAW_SEED);
        let all: Vec<usize> = (0..parts).collect();
        let whole = figure(&all)?;
        let mut draw = || figure(&all.iter().map(|_| rng.random_range(0..parts)).collect::<Vec<_>>());
        let mut figures: Vec<f64> = (0..DRAWS).filter_map(|_| draw()).collect();
        figures.sort_by(f64::total_cmp);
        let outside = figures.len() / 40;
        let [low, high] = [outside, (figures.len() - outside).checked_sub(1)?].map(|at| figures[at]);
        Some(Self::rounded(whole, low, high))
    }

    fn rounded(figure: f64, low: f64, high: f64) -> Self {
        let [figure, low, high] = [figure, low, high].map(|number| (number * 1e3).round() / 1e3);
        Self { figure, low, high }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "figure": self.figure, "from": self.low, "to": self.high })
    }
}
