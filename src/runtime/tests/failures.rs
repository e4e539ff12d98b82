//! Retries in place, poison, panics, fatal errors, time-outs, and random mixtures of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::runtime::Ended;
use crate::testing::{Capture, Faults, Trial, Values, numbers};
use crate::topology::{
    Bolt, Class, Emitter, Error, Outcome, Pulled, Rejected, Result, Settings, Sink, Spout, Topology, Tuning,
};

/// Emits twice what it takes, both halves staged before it may fail.
#[derive(Clone)]
struct Twice;

impl Bolt for Twice {
    type In = u64;
    type Out = (u64, u8);

    async fn execute(&mut self, tuple: &u64, out: &mut Emitter<(u64, u8)>) -> Result<()> {
        out.emit((*tuple, 0));
        out.emit((*tuple, 1));
        Ok(())
    }
}

fn doubled(end: u64) -> Vec<(u64, u8)> {
    (0..end).flat_map(|n| [(n, 0), (n, 1)]).collect()
}

#[test]
fn a_retry_in_place_publishes_once() {
    let seen = Capture::default();
    let t = Topology::new("retry");
    t.spout("n", numbers(0..100)).shuffle().bolt("twice", Twice).shuffle().sink("out", seen.clone());
    let faults = Faults::default().fail("twice", |n: &u64| *n == 37, Class::Retryable, 4).fail(
        "out",
        |(n, _): &(u64, u8)| *n == 50,
        Class::Retryable,
        3,
    );
    let report = Trial::default().faults(faults).run(t);
    assert_eq!(report.exit_code(), 0);
    assert_eq!(seen.sorted(), doubled(100), "no tuple twice, none missing");
    assert_eq!(report.snapshot.operator("twice").map(|o| (o.retried, o.failed)), Some((4, 0)));
    assert_eq!(report.snapshot.operator("out").map(|o| (o.retried, o.failed)), Some((3, 0)));
    assert_eq!(report.snapshot.spouts[0].failed, 0);
}

#[test]
fn past_its_retries_a_tuple_fails_its_run_which_is_replayed() {
    let seen = Capture::default();
    let t = Topology::new("replay");
    t.spout("n", numbers(0..100)).shuffle().bolt("twice", Twice).shuffle().sink("out", seen.clone());
    let faults = Faults::default().fail("twice", |n: &u64| *n == 37, Class::Retryable, 8);
    let report = Trial::default().faults(faults).run(t);
    assert_eq!(report.exit_code(), 0);
    let mut distinct = seen.sorted();
    distinct.dedup();
    assert_eq!(distinct, doubled(100));
    assert_eq!(report.snapshot.spouts[0].failed, 1);
    let (operator, incident) = &report.incidents[0];
    assert_eq!((operator.as_str(), incident.class), ("twice", Class::Retryable));
    assert!(incident.origin.starts_with("n[0] run before "), "{}", incident.origin);
}

#[test]
fn a_panic_is_blamed_on_its_tuple_and_the_rest_goes_on() {
    let seen = Capture::default();
    let t = Topology::new("panic");
    let (out, rejected) = t.spout("n", numbers(0..100)).shuffle().try_bolt("twice", Twice);
    out.shuffle().sink("out", seen.clone());
    let dead = Capture::default();
    rejected.map(|r| (r.tuple, r.reason)).shuffle().sink("dead", dead.clone());
    // It panics twice: in company, and when its turn comes alone.
    let faults = Faults::default().panic("twice", |n: &u64| *n == 37, 2);
    let report = Trial::default().settings(Settings::default()).faults(faults).run(t);
    assert_eq!(report.exit_code(), 0);
    assert_eq!(dead.tuples(), [(37, "panic: scripted panic".to_owned())]);
    let expected: Vec<_> = doubled(100).into_iter().filter(|(n, _)| *n != 37).collect();
    assert_eq!(seen.sorted(), expected);
    assert!(report.incidents[0].1.panicked);
}

#[test]
fn poison_without_a_route_fails_its_run_until_the_spout_gives_up() {
    let t = Topology::new("poison");
    t.spout("n", numbers(0..10)).shuffle().bolt("twice", Twice).shuffle().sink("out", Capture::default());
    let faults = Faults::default().fail("twice", |n: &u64| *n == 3, Class::Poison, u32::MAX);
    let report = Trial::default().faults(faults).run(t);
    assert!(matches!(&report.ended, Ended::Failed { operator, .. } if operator == "n"), "{:?}", report.ended);
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn a_sink_that_panics_on_one_row_stores_the_others() {
    let seen = Capture::default();
    let t = Topology::new("sink-panic");
    t.spout("n", numbers(0..64)).shuffle().sink("out", seen.clone());
    let faults = Faults::default().panic("out", |n: &u64| *n == 21, 7);
    let report = Trial::default().settings(Settings::default()).faults(faults).run(t);
    assert_eq!(report.exit_code(), 0);
    let mut distinct = seen.sorted();
    distinct.dedup();
    assert_eq!(distinct, (0..64).collect::<Vec<u64>>());
    assert_eq!(report.snapshot.operator("out").map(|o| o.failed), Some(1), "one row was at fault");
}

#[test]
fn a_fatal_error_stops_the_run_and_nothing_past_it_is_settled() {
    /// A spout that notes its highest watermark.
    #[derive(Clone)]
    struct Marked(Values<u64>, Arc<AtomicU64>);
    impl Spout for Marked {
        type Out = u64;
        async fn next_batch(&mut self, max: usize) -> Result<Option<Pulled<u64>>> {
            self.0.next_batch(max).await
        }
        async fn settle(&mut self, outcomes: &[Outcome]) -> Result<()> {
            for outcome in outcomes {
                self.1.fetch_max(outcome.watermark.unwrap_or(0), Ordering::Relaxed);
            }
            Ok(())
        }
    }
    let mark = Arc::new(AtomicU64::new(0));
    let t = Topology::new("fatal");
    t.spout("n", Marked(numbers(0..10_000), mark.clone()))
        .shuffle()
        .bolt("twice", Twice)
        .shuffle()
        .sink("out", Capture::default());
    let faults = Faults::default().fail("twice", |n: &u64| *n == 5000, Class::Fatal, 1);
    let report = Trial::default().faults(faults).run(t);
    assert!(matches!(&report.ended, Ended::Failed { operator, error }
        if operator == "twice" && error.class() == Class::Fatal));
    assert_eq!(report.exit_code(), 1);
    assert!(mark.load(Ordering::Relaxed) <= 5000);
}

#[test]
fn a_rejected_row_is_retried_alone() {
    /// Rejects even numbers the first time it sees them.
    #[derive(Clone, Default)]
    struct Picky(Capture<u64>, std::collections::BTreeSet<u64>);
    impl Sink for Picky {
        type In = u64;
        async fn write(&mut self, rows: &[&u64]) -> Result<Rejected> {
            let (mut stored, mut rejected) = (Vec::new(), Vec::new());
            for (at, row) in rows.iter().enumerate() {
                if *row % 2 == 0 && self.1.insert(**row) {
                    rejected.push((at, Error::retryable("not yet")));
                } else {
                    stored.push(*row);
                }
            }
            self.0.write(&stored).await?;
            Ok(rejected.into_iter().collect())
        }
    }
    let sink = Picky::default();
    let t = Topology::new("picky");
    t.spout("n", numbers(0..100)).shuffle().sink("out", sink.clone());
    assert_eq!(Trial::default().run(t).exit_code(), 0);
    assert_eq!(sink.0.sorted(), (0..100).collect::<Vec<u64>>(), "each stored exactly once");
}

#[test]
fn a_run_past_the_message_timeout_fails_and_its_late_ack_is_ignored() {
    /// Takes a minute for the first write, no time afterwards.
    #[derive(Clone, Default)]
    struct Slow(Capture<u64>, Arc<AtomicU64>);
    impl Sink for Slow {
        type In = u64;
        async fn write(&mut self, rows: &[&u64]) -> Result<Rejected> {
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            self.0.write(rows).await
        }
    }
    let sink = Slow::default();
    let t = Topology::new("slow");
    let spout = Tuning::default().batch(10).max_pending(1).message_timeout_ms(5000);
    t.spout_with("n", spout, numbers(0..30)).shuffle().parallelism(2).sink("out", sink.clone());
    let report = Trial::default().settings(Settings::default()).run(t);
    assert_eq!(report.exit_code(), 0);
    assert!(report.snapshot.spouts[0].failed >= 1, "runs that were sent behind the slow write failed too");
    let mut distinct = sink.0.sorted();
    assert!(distinct.len() > 30, "the slow run was stored twice");
    distinct.dedup();
    assert_eq!(distinct, (0..30).collect::<Vec<u64>>());
}

#[test]
fn random_faults_lose_nothing() {
    let base = Trial::default().seed();
    for round in 0..300 {
        let seed = base.wrapping_add(round);
        let (doubles, plain) = (Capture::default(), Capture::default());
        let t = Topology::new("random");
        let n = t.spout("n", numbers(0..200));
        n.clone().fields(|n| n).parallelism(2).sink("plain", plain.clone());
        n.bolt("chained", Twice)
            .map(|(n, _)| n)
            .fields(|n| n)
            .parallelism(3)
            .bolt("twice", Twice)
            .shuffle()
            .parallelism(2)
            .sink("doubles", doubles.clone());
        let report = Trial::of_seed(seed).faults(Faults::default().random(seed, 8)).run(t);
        assert_eq!(report.exit_code(), 0, "{:?}", report.ended);
        let mut distinct = plain.sorted();
        distinct.dedup();
        assert_eq!(distinct, (0..200).collect::<Vec<u64>>());
        let mut distinct = doubles.sorted();
        distinct.dedup();
        assert_eq!(distinct, doubled(200));
    }
}
