//! Acks, holds, ticks, lingers: what settles, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::testing::{Capture, Trial, Values, numbers, values};
use crate::topology::{
    Bolt, Emitter, Hold, Outcome, Pulled, Rejected, Result, Settings, Sink, Spout, Topology, Tuning,
};

/// A spout that notes its outcomes.
#[derive(Clone)]
struct Noted {
    inner: Values<u64>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

impl Noted {
    fn over(end: u64) -> Self {
        Self { inner: numbers(0..end), outcomes: Arc::default() }
    }
}

impl Spout for Noted {
    type Out = u64;

    async fn next_batch(&mut self, max: usize) -> Result<Option<Pulled<u64>>> {
        self.inner.next_batch(max).await
    }

    async fn settle(&mut self, outcomes: &[Outcome]) -> Result<()> {
        self.outcomes.lock().unwrap().extend_from_slice(outcomes);
        self.inner.settle(outcomes).await
    }
}

/// Sums windows of ten inputs, which stay open until the sum is emitted.
#[derive(Clone, Default)]
struct Windows {
    held: Hold,
    sum: u64,
    count: u64,
}

impl Windows {
    fn emit(&mut self, out: &mut Emitter<u64>) {
        if self.count > 0 {
            out.emit_for(&self.held, self.sum);
        }
        self.held.ack();
        (self.sum, self.count) = (0, 0);
    }
}

impl Bolt for Windows {
    type In = u64;
    type Out = u64;

    async fn execute(&mut self, tuple: &u64, out: &mut Emitter<u64>) -> Result<()> {
        out.hold(&mut self.held);
        self.sum += tuple;
        self.count += 1;
        if self.count == 10 {
            self.emit(out);
        }
        Ok(())
    }

    async fn close(&mut self, out: &mut Emitter<u64>) -> Result<()> {
        self.emit(out);
        Ok(())
    }
}

#[test]
fn held_inputs_settle_with_their_window() {
    let (sums, spout) = (Capture::default(), Noted::over(1005));
    let outcomes = spout.outcomes.clone();
    let t = Topology::new("windows");
    // Runs of 4 and windows of 10: a run may lie in two windows.
    t.spout_with("n", Tuning::default().batch(4).max_pending(1000), spout)
        .fields_by(|n| n % 2)
        .parallelism(2)
        .bolt("sum", Windows::default())
        .shuffle()
        .sink("sums", sums.clone());
    assert_eq!(Trial::default().run(t).exit_code(), 0);
    assert_eq!(sums.tuples().iter().sum::<u64>(), (0..1005).sum::<u64>());
    let outcomes = outcomes.lock().unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.failed.is_none()));
    assert_eq!(outcomes.last().and_then(|outcome| outcome.watermark), Some(1005));
    assert!(outcomes.is_sorted_by_key(|outcome| outcome.watermark), "a watermark never moves back");
}

/// Counts ticks until it has seen enough.
#[derive(Clone)]
struct Ticker;

impl Bolt for Ticker {
    type In = u64;
    type Out = &'static str;

    async fn execute(&mut self, _: &u64, out: &mut Emitter<&'static str>) -> Result<()> {
        out.emit("tuple");
        Ok(())
    }

    fn tick_every(&self) -> Option<Duration> {
        Some(Duration::from_secs(3600))
    }

    async fn tick(&mut self, out: &mut Emitter<&'static str>) -> Result<()> {
        out.emit("tick");
        Ok(())
    }
}

/// Emits one number, then waits for ever.
#[derive(Clone, Default)]
struct OneThenSilence(bool);

impl Spout for OneThenSilence {
    type Out = u64;

    async fn next_batch(&mut self, _: usize) -> Result<Option<Pulled<u64>>> {
        if std::mem::replace(&mut self.0, true) {
            std::future::pending::<()>().await;
        }
        Ok(Some(Pulled { partition: 0, epoch: 0, end: 1, tuples: vec![1] }))
    }
}

#[test]
fn ticks_come_while_no_tuples_do_at_the_configured_interval() {
    for chained in [true, false] {
        let seen = Capture::default();
        let t = Topology::new("ticks");
        let s = t.spout("one", OneThenSilence::default());
        let ticks = if chained { s.bolt("ticker", Ticker) } else { s.shuffle().bolt("ticker", Ticker) };
        ticks.shuffle().sink("out", seen.clone());
        let mut settings = Settings::default();
        settings.operators.insert("ticker".into(), Tuning::default().tick_ms(100));
        let report = Trial::default().settings(settings).run_with(t, |stop| async move {
            tokio::time::sleep(Duration::from_millis(1050)).await;
            stop.stop();
        });
        assert_eq!(report.exit_code(), 0);
        let ticks = seen.tuples().iter().filter(|what| **what == "tick").count();
        assert!((9..=11).contains(&ticks), "{ticks}");
    }
}

/// Notes the sizes of its writes.
#[derive(Clone, Default)]
struct Sizes(Arc<Mutex<Vec<usize>>>);

impl Sink for Sizes {
    type In = u64;

    async fn write(&mut self, rows: &[&u64]) -> Result<Rejected> {
        self.0.lock().unwrap().push(rows.len());
        Ok(Rejected::none())
    }

    fn size_of(&self, tuple: &u64) -> usize {
        *tuple as usize
    }
}

fn writes(input: Vec<u64>, sink: Tuning) -> Vec<usize> {
    let sizes = Sizes::default();
    let t = Topology::new("sizes");
    t.spout_with("n", Tuning::default().batch(3), values(input)).shuffle().tune(sink).sink("sizes", sizes.clone());
    assert_eq!(Trial::default().settings(Settings::default()).run(t).exit_code(), 0);
    let sizes = sizes.0.lock().unwrap();
    sizes.clone()
}

#[test]
fn a_sink_writes_by_rows_by_bytes_and_by_linger() {
    let sink = || Tuning::default().linger_ms(50);
    assert_eq!(writes(vec![1; 20], sink().rows(8)), [8, 1, 8, 1, 2]);
    assert_eq!(writes(vec![1; 20], sink().rows(100)), [20]);
    assert_eq!(writes(vec![10; 6], sink().bytes(25)), [2, 1, 2, 1]);
    assert_eq!(writes(vec![1, 99, 1], sink().bytes(25)), [1, 1, 1], "a row beyond the bound goes alone");
}

#[test]
fn a_lingering_row_waits_its_time_and_no_longer() {
    let sizes = Sizes::default();
    let t = Topology::new("linger");
    let sink = Tuning::default().linger_ms(200).rows(10);
    t.spout("one", OneThenSilence::default()).shuffle().tune(sink).sink("sizes", sizes.clone());
    let written = sizes.clone();
    Trial::default().run_with(t, |stop| async move {
        tokio::time::sleep(Duration::from_millis(190)).await;
        assert!(written.0.lock().unwrap().is_empty());
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(*written.0.lock().unwrap(), [1]);
        stop.stop();
    });
}

#[test]
fn pending_runs_are_bounded() {
    /// Notes how many runs are out at most.
    #[derive(Clone)]
    struct Counting {
        inner: Values<u64>,
        out: usize,
        most: Arc<Mutex<usize>>,
    }
    impl Spout for Counting {
        type Out = u64;
        async fn next_batch(&mut self, max: usize) -> Result<Option<Pulled<u64>>> {
            let pulled = self.inner.next_batch(max).await?;
            self.out += usize::from(pulled.is_some());
            let mut most = self.most.lock().unwrap();
            *most = self.out.max(*most);
            Ok(pulled)
        }
        async fn settle(&mut self, outcomes: &[Outcome]) -> Result<()> {
            self.out -= outcomes.len();
            self.inner.settle(outcomes).await
        }
    }
    let most = Arc::new(Mutex::new(0));
    let t = Topology::new("pending");
    let spout = Counting { inner: numbers(0..1000), out: 0, most: most.clone() };
    t.spout_with("n", Tuning::default().batch(5).max_pending(3), spout).shuffle().sink("out", Capture::default());
    assert_eq!(Trial::default().settings(Settings::default()).run(t).exit_code(), 0);
    assert_eq!(*most.lock().unwrap(), 3);
}
