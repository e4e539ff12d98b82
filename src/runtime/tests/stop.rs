//! Stopping: drain, deadline, exit status.

use std::time::Duration;

use crate::runtime::Ended;
use crate::testing::{Capture, Trial};
use crate::topology::{Outcome, Pulled, Rejected, Result, Sink, Spout, Topology, Tuning};

/// Emits for ever, and keeps the last watermark.
#[derive(Clone, Default)]
struct Endless {
    at: u64,
    settled: Capture<u64>,
}

impl Spout for Endless {
    type Out = u64;

    async fn next_batch(&mut self, _: usize) -> Result<Option<Pulled<u64>>> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.at += 1;
        Ok(Some(Pulled { partition: 0, epoch: 0, end: self.at, tuples: vec![self.at - 1] }))
    }

    async fn settle(&mut self, outcomes: &[Outcome]) -> Result<()> {
        let marks: Vec<u64> = outcomes.iter().filter_map(|outcome| outcome.watermark).collect();
        self.settled.write(&marks.iter().collect::<Vec<_>>()).await?;
        Ok(())
    }
}

/// Takes some time for each write.
#[derive(Clone)]
struct Slow(Capture<u64>, Duration);

impl Sink for Slow {
    type In = u64;

    async fn write(&mut self, rows: &[&u64]) -> Result<Rejected> {
        tokio::time::sleep(self.1).await;
        self.0.write(rows).await
    }
}

#[test]
fn a_stop_drains_what_was_pulled() {
    let (stored, spout) = (Capture::default(), Endless::default());
    let settled = spout.settled.clone();
    let t = Topology::new("drain");
    t.spout("n", spout).shuffle().sink("out", Slow(stored.clone(), Duration::from_millis(30)));
    let report = Trial::default().run_with(t, |stop| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.stop();
    });
    assert!(matches!(report.ended, Ended::Drained), "{:?}", report.ended);
    assert_eq!(report.exit_code(), 0);
    let stored = stored.tuples();
    assert!(!stored.is_empty());
    assert_eq!(stored, (0..stored.len() as u64).collect::<Vec<_>>());
    assert_eq!(settled.tuples().last(), Some(&(stored.len() as u64)), "all that was pulled is settled");
}

#[test]
fn past_the_drain_deadline_the_rest_is_given_up_unacknowledged() {
    let (stored, spout) = (Capture::default(), Endless::default());
    let settled = spout.settled.clone();
    let t = Topology::new("deadline");
    let tuning = Tuning::default().message_timeout_ms(3_600_000);
    t.spout_with("n", tuning, spout).shuffle().sink("out", Slow(stored, Duration::from_secs(600)));
    let report = Trial::default().drain(Duration::from_secs(5)).run_with(t, |stop| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.stop();
    });
    assert!(matches!(report.ended, Ended::Abandoned), "{:?}", report.ended);
    assert_eq!(report.exit_code(), 3);
    assert!(settled.tuples().is_empty());
}
