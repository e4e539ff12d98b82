//! Rates measured beside a bare loop, interleaved, and reported as one JSON line a benchmark.

use std::time::{Duration, Instant};

/// One benchmark's result.
pub(crate) struct Figures {
    name: &'static str,
    ours: Vec<f64>,
    bare: Vec<f64>,
}

impl Figures {
    /// Runs both sides in turn, `repeats` times unless `BENCH_REPEATS` says otherwise. Each closure does `tuples` tuples
    /// and returns how long that took.
    pub(crate) fn measure(
        name: &'static str,
        tuples: u64,
        repeats: usize,
        mut ours: impl FnMut() -> Duration,
        mut bare: impl FnMut() -> Duration,
    ) -> Self {
        let repeats = number("BENCH_REPEATS").map_or(repeats, |repeats| repeats as usize).max(1);
        let mut figures = Self { name, ours: Vec::new(), bare: Vec::new() };
        for _ in 0..repeats {
            figures.ours.push(tuples as f64 / ours().as_secs_f64());
            figures.bare.push(tuples as f64 / bare().as_secs_f64());
        }
        figures
    }

    /// Prints the JSON line on standard output, and a line for people on standard error.
    pub(crate) fn report(mut self) {
        let (ours, bare) = (median(&mut self.ours), median(&mut self.bare));
        let line = serde_json::json!({
            "bench": self.name,
            "tuples_per_s": ours.round(),
            "tuples_per_s_min": self.ours[0].round(),
            "tuples_per_s_max": self.ours[self.ours.len() - 1].round(),
            "bare_tuples_per_s": bare.round(),
            "ratio_bare": (ours / bare * 1000.0).round() / 1000.0,
            "repeats": self.ours.len(),
        });
        println!("{line}");
        let (unit, of) = if ours < 1e5 { ("k", 1e3) } else { ("M", 1e6) };
        eprintln!(
            "{:<24} {:>8.2} {unit}/s ({:.2}–{:.2})   bare {:>8.2} {unit}/s   ratio {:.2}",
            self.name,
            ours / of,
            self.ours[0] / of,
            self.ours[self.ours.len() - 1] / of,
            bare / of,
            ours / bare
        );
    }
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// How long `work` takes.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Whether `BENCH` asks for this benchmark, by its name or by the part of it before a dash; all are asked for when it is
/// unset or empty.
pub(crate) fn wanted(name: &str) -> bool {
    let wanted = std::env::var("BENCH").unwrap_or_default();
    let family = name.split_once('-').map_or(name, |(family, _)| family);
    wanted.is_empty() || wanted == name || wanted == family
}

/// What an environment variable says, if it is a number.
pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
