//! Stopping: drain, deadline, exit status.

use std::time::Duration;

use crate::runtime::Ended;
use crate::testing::{Capture, Faults, Trial};
use crate::topology::{Bolt, Class, Emitter, Outcome, Pulled, Rejected, Result, Sink, Spout, Topology, Tuning};

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

/// Emits one run, and loses its partition when that fails.
#[derive(Clone, Default)]
struct Leaving {
    emitted: bool,
    gone: bool,
}

impl Spout for Leaving {
    type Out = u64;

    async fn next_batch(&mut self, _: usize) -> Result<Option<Pulled<u64>>> {
        if std::mem::replace(&mut self.emitted, true) {
            return Ok(None);
        }
        Ok(Some(Pulled { partition: 0, epoch: 1, end: 1, tuples: vec![7] }))
    }

    fn owns(&self, _: u32, epoch: u32) -> bool {
        assert_eq!(epoch, 1);
        !self.gone
    }

    async fn settle(&mut self, outcomes: &[Outcome]) -> Result<()> {
        self.gone = outcomes.iter().any(|outcome| outcome.failed.is_some());
        Ok(())
    }
}

#[test]
fn a_failure_of_a_partition_that_went_elsewhere_is_not_held_against_the_run() {
    let t = Topology::new("leaving");
    t.spout("n", Leaving::default()).shuffle().sink("out", Capture::default());
    let faults = Faults::default().fail("out", |_: &u64| true, Class::Poison, 1);
    let report = Trial::default().faults(faults).run(t);
    assert_eq!((report.exit_code(), report.snapshot.spouts[0].failed), (0, 1));
}

/// Never waits for its source.
#[derive(Clone)]
struct Busy(u64);

impl Spout for Busy {
    type Out = u64;

    async fn next_batch(&mut self, _: usize) -> Result<Option<Pulled<u64>>> {
        if self.0 == 0 {
            return Ok(None);
        }
        self.0 -= 1;
        // Time passes while it pulls, as if it worked.
        tokio::time::advance(Duration::from_millis(1)).await;
        Ok(Some(Pulled { partition: 0, epoch: 0, end: 10_000 - self.0, tuples: vec![self.0] }))
    }
}

#[test]
fn what_is_chained_to_a_spout_that_is_never_idle_ticks_all_the_same() {
    /// Counts its ticks.
    #[derive(Clone)]
    struct Ticking(Capture<u64>);
    impl Bolt for Ticking {
        type In = u64;
        type Out = u64;
        async fn execute(&mut self, _: &u64, _: &mut Emitter<u64>) -> Result<()> {
            Ok(())
        }
        fn tick_every(&self) -> Option<Duration> {
            Some(Duration::from_millis(10))
        }
        async fn tick(&mut self, _: &mut Emitter<u64>) -> Result<()> {
            self.0.write(&[&1]).await.map(drop)
        }
    }
    let ticks = Capture::default();
    let t = Topology::new("busy");
    t.spout("n", Busy(1000)).bolt("ticking", Ticking(ticks.clone())).ignore();
    assert_eq!(Trial::default().run(t).exit_code(), 0);
    assert!(ticks.tuples().len() >= 50, "{} ticks in a second", ticks.tuples().len());
}
