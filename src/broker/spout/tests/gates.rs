//! Records that wait at gates.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::checked::Checked;
use super::{Log, Store, Stored, bounded, offsets, unbounded};
use crate::broker::{Admission, Gate, GroupSettings, LogRecord, LogSpout, LogSpoutSettings};
use crate::runtime::Ended;
use crate::testing::{Faults, Trial};
use crate::topology::{BoxFuture, Class, Rejected, Result, Settings, Sink, Topology, Tuning};

const HOUR: Duration = Duration::from_secs(3600);

/// Lets records of partition 0 on one after the other, each a step after the one before it.
struct Due {
    began: Mutex<Option<Instant>>,
    step: Duration,
}

impl Due {
    fn at(&self, record: &LogRecord) -> Instant {
        let began = *self.began.lock().unwrap().get_or_insert_with(Instant::now);
        match record.origin.partition {
            0 => began + self.step * (record.origin.offset as u32 + 1),
            _ => began,
        }
    }
}

impl Gate for Due {
    fn admit(&self, records: &[LogRecord]) -> Admission {
        let now = Instant::now();
        let due = records.iter().take_while(|record| self.at(record) <= now).count();
        match records.get(due) {
            Some(first) => Admission::some(due, self.at(first) - now),
            None => Admission::all(),
        }
    }
}

/// Shut until it is opened; says that it may take an hour.
#[derive(Default)]
struct Door {
    open: AtomicBool,
    opened: Notify,
    asked: AtomicU64,
}

impl Gate for Door {
    fn admit(&self, _records: &[LogRecord]) -> Admission {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.open.load(Ordering::Relaxed) { Admission::all() } else { Admission::some(0, HOUR) }
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.opened.notified())
    }
}

impl Door {
    fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
        self.opened.notify_waiters();
    }
}

/// Keeps when each record came, and how often.
#[derive(Clone, Default)]
struct Times(Arc<Mutex<Came>>);

/// When, by partition and offset.
type Came = BTreeMap<(u32, u64), Vec<Instant>>;

impl Sink for Times {
    type In = LogRecord;

    async fn write(&mut self, rows: &[&LogRecord]) -> Result<Rejected> {
        let mut times = self.0.lock().unwrap();
        for row in rows {
            times.entry((row.origin.partition, row.origin.offset)).or_default().push(Instant::now());
        }
        Ok(Rejected::none())
    }
}

fn through(
    log: &Log,
    settings: LogSpoutSettings,
    gates: &[Arc<dyn Gate>],
    sink: impl Sink<In = LogRecord>,
) -> Topology {
    let spout =
        gates.iter().fold(LogSpout::new(log.broker.clone(), settings), |spout, gate| spout.gated(gate.clone()));
    let t = Topology::new("gated");
    t.spout("log", spout).sink("store", sink);
    t
}

fn small() -> Settings {
    Settings { defaults: Tuning::default().batch(10).rows(10).retries(0), ..Settings::default() }
}

#[test]
fn nothing_passes_before_its_time_and_the_other_partition_does_not_wait() {
    let log = Log::open();
    log.fill("t", 2, 60);
    let step = Duration::from_secs(7);
    let gate = Arc::new(Due { began: Mutex::default(), step });
    let times = Times::default();
    let gates: [Arc<dyn Gate>; 1] = [gate.clone()];
    let report = Trial::default().settings(small()).run(through(&log, bounded("t"), &gates, times.clone()));
    assert_eq!(report.exit_code(), 0, "{report:?}");
    let (times, began) = (times.0.lock().unwrap(), gate.began.lock().unwrap().unwrap());
    assert_eq!(times.len(), 120);
    assert!(times.values().all(|came| came.len() == 1), "nothing comes twice");
    for ((partition, offset), came) in times.iter() {
        let due = began + step * (*offset as u32 + 1);
        match partition {
            0 => assert!(came[0] >= due, "{offset} came {:?} early", due - came[0]),
            _ => assert!(came[0] < began + step, "the other partition waits"),
        }
    }
    assert_eq!(log.committed("t"), [Some(60), Some(60)]);
}

#[test]
fn of_several_gates_the_strictest_counts() {
    let log = Log::open();
    log.fill("t", 1, 30);
    let due = |step| Arc::new(Due { began: Mutex::default(), step: Duration::from_secs(step) });
    let (slow, fast) = (due(9), due(2));
    let times = Times::default();
    let gates: [Arc<dyn Gate>; 2] = [fast.clone(), slow.clone()];
    let report = Trial::default().settings(small()).run(through(&log, bounded("t"), &gates, times.clone()));
    assert_eq!(report.exit_code(), 0, "{report:?}");
    let began = slow.began.lock().unwrap().unwrap();
    let times = times.0.lock().unwrap();
    assert!(
        times.iter().all(|((_, offset), came)| came[0] >= began + Duration::from_secs(9) * (*offset as u32 + 1))
    );
    assert_eq!(times.len(), 30);
}

#[test]
fn a_gate_that_changes_is_asked_at_once() {
    let log = Log::open();
    log.fill("t", 3, 40);
    let door = Arc::new(Door::default());
    let times = Times::default();
    let gates: [Arc<dyn Gate>; 1] = [door.clone()];
    let opened = Mutex::new(None);
    let report = Trial::default().settings(small()).run_with(
        through(&log, bounded("t"), &gates, times.clone()),
        |_| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert!(times.0.lock().unwrap().is_empty());
            assert_eq!(door.asked.load(Ordering::Relaxed), 3, "who waits is not asked again and again");
            *opened.lock().unwrap() = Some(Instant::now());
            door.open();
        },
    );
    assert!(matches!(report.ended, Ended::Finished), "what waits is not the end: {report:?}");
    let (times, opened) = (times.0.lock().unwrap(), opened.lock().unwrap().unwrap());
    assert_eq!(times.len(), 120);
    assert!(times.values().all(|came| came[0] - opened < HOUR));
}

#[test]
fn a_drain_does_not_wait_for_a_gate() {
    let log = Log::open();
    log.fill("t", 2, 40);
    let door: Arc<dyn Gate> = Arc::new(Door::default());
    let stored = Stored::default();
    let t = through(&log, unbounded("t"), &[door], Store(stored.clone(), Duration::ZERO));
    let report = Trial::default().settings(small()).run_with(t, |stop| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.stop();
    });
    assert!(matches!(report.ended, Ended::Drained), "{report:?}");
    assert!(stored.lock().unwrap().is_empty());
    assert_eq!(log.committed("t"), [Some(0), Some(0)]);
}

#[test]
fn partitions_that_wait_move_at_once() {
    let log = Log::open();
    log.fill("t", 4, 40);
    let checked = log.checked();
    let door = Arc::new(Door::default());
    let gated = |checked: &Checked| {
        let group = GroupSettings { drain_timeout: HOUR, ..GroupSettings::new("g") };
        let spout =
            LogSpout::new(Arc::new(checked.clone()), LogSpoutSettings::new("t", group)).gated(door.clone());
        let t = Topology::new("gated");
        t.spout("log", spout).sink("store", Store(checked.stored.clone(), Duration::ZERO));
        t
    };
    let report = Trial::default().settings(small()).run_with(gated(&checked), |stop| {
        let second = gated(&checked);
        let (checked, door) = (&checked, &door);
        async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let second = crate::runtime::start(second, &small(), Default::default()).unwrap();
            let began = Instant::now();
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(checked.seen.lock().unwrap().revoked, 2);
            door.open();
            while checked.stored.lock().unwrap().len() < 160 {
                assert!(began.elapsed() < HOUR, "what moved is not read");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            second.stopper().stop();
            second.wait().await;
            stop.stop();
        }
    });
    assert!(matches!(report.ended, Ended::Drained), "{report:?}");
    assert_eq!(checked.seen.lock().unwrap().lost, 0);
    checked.assert_kept();
    assert_eq!(log.committed("t"), [Some(40); 4]);
}

/// Shut for what comes again, for a minute after it first came again.
#[derive(Default)]
struct Again(Mutex<Option<Instant>>);

impl Gate for Again {
    fn admit(&self, records: &[LogRecord]) -> Admission {
        if records[0].origin.attempt == 0 {
            return Admission::all();
        }
        let opens = *self.0.lock().unwrap().get_or_insert_with(|| Instant::now() + Duration::from_secs(60));
        match opens.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            Some(left) => Admission::some(0, left),
            None => Admission::all(),
        }
    }
}

#[test]
fn replays_pass_the_gate_and_hold_up_their_own_partition_only() {
    let log = Log::open();
    log.fill("t", 2, 100);
    let gate = Arc::new(Again::default());
    let times = Times::default();
    let fails = |record: &LogRecord| (record.origin.partition, record.origin.offset) == (0, 5);
    let faults = Faults::default().fail("store", fails, Class::Retryable, 1);
    let gates: [Arc<dyn Gate>; 1] = [gate.clone()];
    let t = through(&log, bounded("t"), &gates, times.clone());
    let report = Trial::default().settings(small()).faults(faults).run(t);
    assert_eq!(report.exit_code(), 0, "{report:?}");
    let (times, opens) = (times.0.lock().unwrap(), gate.0.lock().unwrap().unwrap());
    assert_eq!(times.len(), 200);
    for ((partition, offset), came) in times.iter() {
        match partition {
            1 => assert!(came[0] < opens, "partition 1 waits for partition 0"),
            _ if *offset == 5 => assert!(came[0] >= opens, "it came again early"),
            _ => {}
        }
    }
}

#[test]
fn replays_back_off_and_the_bound_of_failed_runs_is_not_met_by_waiting() {
    let log = Log::open();
    log.fill("t", 2, 400);
    let checked = log.checked();
    let settings = Settings { defaults: Tuning::default().batch(2).max_pending(2).rows(2).retries(0), ..small() };
    // Nothing of partition 0 can be stored for a while, with hundreds of fresh runs behind it.
    let fails = |record: &LogRecord| record.origin.partition == 0;
    let faults = Faults::default().fail("store", fails, Class::Retryable, 8);
    let spout = LogSpout::new(Arc::new(checked.clone()), bounded("t"));
    let times = Times::default();
    let t = Topology::new("back-off");
    let records = t.spout("log", spout);
    records.clone().sink("store", Store(checked.stored.clone(), Duration::ZERO));
    records.sink("times", times.clone());
    let report = Trial::default().settings(settings).faults(faults).run(t);
    assert_eq!(report.exit_code(), 0, "{report:?}");
    checked.assert_kept();
    assert_eq!(offsets(&checked.stored), (0..400).collect::<Vec<u64>>());
    assert_eq!(checked.seen.lock().unwrap().cursors, 1, "replays of one partition share a cursor");
    let times = times.0.lock().unwrap();
    let tries = &times[&(0, 0)];
    let pauses: Vec<Duration> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(tries.len() > 3, "it was not tried again and again: {tries:?}");
    for (at, pause) in pauses.iter().enumerate() {
        let least = Duration::from_millis(100 << at).min(Duration::from_secs(5));
        assert!(*pause >= least, "try {at} came after {pause:?}");
    }
    let other = times.iter().filter(|((partition, _), _)| *partition == 1).map(|(_, came)| came[0]).max();
    assert!(other < tries.last().copied(), "partition 1 waited for partition 0");
}
