//! A live view of a run in a terminal.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::runtime::{Latency, Metrics, Snapshot};

/// How often the view is drawn.
const INTERVAL: Duration = Duration::from_millis(500);

/// Shows rate, lag, latency and a line per operator on standard error while a run goes on; silent when that is not a
/// terminal.
pub struct Live {
    metrics: Arc<Metrics>,
    lines: Vec<ProgressBar>,
    last: Option<Snapshot>,
}

impl Live {
    /// A view of the run that `metrics` belong to.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let count = metrics.snapshot().operators.len() + 2;
        let lines = (0..count).map(|_| screen.add(ProgressBar::new_spinner().with_style(style.clone()))).collect();
        Self { metrics, lines, last: None }
    }

    /// Draws until dropped.
    pub async fn show(mut self) {
        loop {
            self.draw();
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn draw(&mut self) {
        let now = self.metrics.snapshot();
        for (line, text) in self.lines.iter().zip(render(&now, self.last.as_ref())) {
            line.set_message(text);
            line.tick();
        }
        self.last = Some(now);
    }
}

/// The lines of the view: the run as a whole, a heading, one line per operator.
fn render(now: &Snapshot, last: Option<&Snapshot>) -> Vec<String> {
    let seconds = now.elapsed_ms.saturating_sub(last.map_or(0, |last| last.elapsed_ms)).max(1) as f64 / 1000.0;
    let rate = |name: &str, tuples: u64, read: fn(&crate::runtime::OperatorSnapshot) -> u64| {
        let before = last.and_then(|last| last.operator(name)).map_or(0, read);
        tuples.saturating_sub(before) as f64 / seconds
    };
    let pulled: f64 = now
        .operators
        .iter()
        .filter(|operator| operator.kind == crate::topology::Kind::Spout)
        .map(|spout| rate(&spout.operator, spout.tuples_out, |o| o.tuples_out))
        .sum();
    let lag: u64 = now.spouts.iter().flat_map(|spout| &spout.partitions).filter_map(|p| p.lag).sum();
    let pending: usize = now.spouts.iter().map(|spout| spout.pending).sum();
    let complete = now.spouts.iter().map(|spout| spout.complete).max_by_key(|latency| latency.count);
    let mut lines = vec![format!(
        "{:>6.1} s   {pulled:>9.0} records/s   lag {lag}   pending {pending}   latency {}",
        now.elapsed_ms as f64 / 1000.0,
        show_latency(complete.unwrap_or_default()),
    )];
    lines.push(format!(
        "  {:<16} {:>11} {:>11} {:>8} {:>7} {:>6}  execute",
        "operator", "in", "out", "failed", "queue", "busy"
    ));
    for operator in &now.operators {
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _infallible = write!(
            line,
            "  {:<16} {:>11} {:>11} {:>8} {:>7} {:>5.0}%  {}",
            operator.operator,
            operator.tuples_in,
            operator.tuples_out,
            operator.failed,
            operator.queue_depth,
            operator.capacity * 100.0,
            show_latency(operator.execute),
        );
        lines.push(line);
    }
    lines
}

fn show_latency(latency: Latency) -> String {
    if latency.count == 0 {
        return "-".to_owned();
    }
    let ms = |ns: u64| ns as f64 / 1e6;
    format!("p50 {:.2} ms  p99 {:.2} ms  max {:.2} ms", ms(latency.p50_ns), ms(latency.p99_ns), ms(latency.max_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Capture, Trial, numbers};
    use crate::topology::Topology;

    #[test]
    fn every_operator_has_a_line() {
        let t = Topology::new("live");
        t.spout("numbers", numbers(0..100)).shuffle().sink("out", Capture::default());
        let snapshot = Trial::default().run(t).snapshot;
        let lines = render(&snapshot, None);
        assert_eq!(lines.len(), snapshot.operators.len() + 2);
        assert!(lines[0].contains("lag 0"), "{}", lines[0]);
        assert!(lines[3].starts_with("  out ") && lines[3].contains("100"), "{}", lines[3]);
    }
}
