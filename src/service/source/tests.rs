#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{SeekWatch, SkipWatch, watch_lag, watch_seeks};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, Broker, GroupSettings, LogSpout, LogSpoutSettings, TopicSpec};
use crate::control::backfill::{Backfills, Range};
use crate::control::tests::flaky::Flaky;
use crate::control::{Control, ControlSettings, Names, Operator, Running, SeekTo, SpoutSource, ensure};
use crate::guard::{AutoSkipSettings, Clock};
use crate::runtime::{Options, Running as Run, start};
use crate::testing::Capture;
use crate::topology::{Settings, Topology};

/// A log with a topic `source` of two partitions, and a worker whose spout `lines` can be held.
struct Stage {
    _dir: tempfile::TempDir,
    broker: Arc<dyn Broker>,
    log: Arc<Flaky>,
    control: Control,
    clock: Clock,
    run: Run,
}

fn source() -> SpoutSource {
    SpoutSource { spout: "lines".into(), topic: "source".into(), group: "g".into() }
}

impl Stage {
    async fn open(reads: bool) -> Self {
        Self::open_at(reads, None).await
    }

    /// One where the log has deleted what the second partition is to read next: from the first of these offsets to the other.
    async fn open_at(reads: bool, gap: Option<(u64, u64)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap();
        let log = Arc::new(Flaky::over(log));
        let (broker, clock): (Arc<dyn Broker>, _) = (log.clone(), Clock::new());
        ensure(&*broker, "words", 1).await.unwrap();
        broker.create_topic(&TopicSpec::new("source", 2)).await.unwrap();
        append(&broker, 1_000).await;
        if let Some((from, to)) = gap {
            log.reset("g", "source", &[(0, 0), (1, from)]).await.unwrap();
            log.delete_before("source", 1, to).await;
        }
        let settings = ControlSettings { clock, ..ControlSettings::new(dir.path(), "worker") };
        let control = Control::start(broker.clone(), "words", settings).await;
        let spout = LogSpout::new(broker.clone(), LogSpoutSettings::new("source", GroupSettings::new("g")))
            .gated(Arc::new(Running::new(reads)))
            .steered(control.seeks("lines", "source", "g"));
        let t = Topology::new("words");
        t.spout("lines", spout).sink("out", Capture::default());
        let run = start(t, &Settings::default(), Options::default()).unwrap();
        Self { _dir: dir, broker, log, control, clock, run }
    }

    /// Whether some seek is said to be made.
    async fn is_said_to_be_made(&self) -> bool {
        let (names, mut over) = (Names::of("words").control, false);
        let mut cursor = self.broker.cursor(&names, &[(0, 0)]).unwrap();
        while let Some(fetched) = cursor.fetch(100, Duration::ZERO).await.unwrap() {
            over |= fetched.records.iter().any(|record| {
                let value = record.value.as_deref().unwrap_or_default();
                record.key.as_deref().is_some_and(|key| key.starts_with(b"seek/"))
                    && serde_json::from_slice::<serde_json::Value>(value).unwrap()["offsets"]
                        == serde_json::json!({})
            });
        }
        over
    }

    /// Has it skip by itself from so many records on.
    fn skip_at(&self, records: u64) -> JoinHandle<()> {
        self.skip_with(AutoSkipSettings { records: Some(records), ..AutoSkipSettings::default() })
    }

    /// Has it skip by itself past these bounds.
    fn skip_with(&self, settings: AutoSkipSettings) -> JoinHandle<()> {
        let (broker, control, clock) = (self.broker.clone(), self.control.clone(), self.clock);
        let watch = SkipWatch { broker, topology: "words".to_owned(), source: source(), settings, control, clock };
        watch_lag(watch).expect("a bound is given")
    }

    async fn stop(self) {
        self.run.stopper().stop();
        assert_eq!(self.run.wait().await.exit_code(), 0);
    }
}

async fn append(broker: &Arc<dyn Broker>, records: u32) {
    let record = |at| Append { partition: Some(at % 2), value: Some("x".into()), ..Append::default() };
    broker.producer().unwrap().append("source", (0..records).map(record).collect()).await.unwrap();
}

/// A paused spout falls behind; with the bound it is sent ahead, once, and the job has what it stood before.
#[tokio::test(start_paused = true)]
async fn a_spout_that_is_too_far_behind_skips_ahead_by_itself() {
    let stage = Stage::open(false).await;
    let (broker, clock) = (stage.broker.clone(), stage.clock);
    let watching = stage.skip_at(900);
    let backfills = Backfills::new(broker.clone(), "words", clock);

    tokio::time::sleep(Duration::from_secs(25)).await;
    assert!(backfills.list().await.unwrap().is_empty(), "not before the dwell is over");
    while broker.committed("g", "source").await.unwrap() != [Some(500), Some(500)] {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    append(&broker, 2_000).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let jobs = backfills.list().await.unwrap();
    assert_eq!(jobs.len(), 1, "not again so soon");
    let job = &jobs[0].job;
    assert_eq!((job.total(), job.skip.as_deref()), (1_000, Some("lines")));
    assert!(job.reason.starts_with("1000 records behind, more than 900 for "), "{}", job.reason);
    assert!(job.who.starts_with("process "), "{}", job.who);
    // It is done with: a group that has lost what its commits said is not sent by it.
    assert!(stage.is_said_to_be_made().await, "nothing says that it stands everywhere");
    watching.abort();
    stage.stop().await;
}

/// That is for an operator to decide, however far behind the others are.
#[tokio::test(start_paused = true)]
async fn a_partition_that_stands_at_a_gap_is_not_sent_ahead() {
    let stage = Stage::open_at(false, Some((100, 300))).await;
    let (broker, clock) = (stage.broker.clone(), stage.clock);
    let watching = stage.skip_at(400);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(broker.committed("g", "source").await.unwrap(), [Some(500), Some(100)]);
    let jobs = Backfills::new(broker.clone(), "words", clock).list().await.unwrap();
    let ranges: Vec<_> = jobs.iter().flat_map(|status| &status.job.ranges).collect();
    assert_eq!(ranges, [&Range { partition: 0, from: 0, to: 500 }]);
    watching.abort();
    stage.stop().await;
}

/// One record that is too old is enough, of whichever partition: where another does not say how old its own is, nobody
/// waits for it. While what is known is too young, nothing is known.
#[tokio::test(start_paused = true)]
async fn an_age_that_cannot_be_read_keeps_no_other_from_being_too_great() {
    for silent in [0, 1] {
        let stage = Stage::open(false).await;
        stage.log.mute("source", silent);
        let minutes = Duration::from_secs(300);
        let watching = stage.skip_with(AutoSkipSettings { behind: Some(minutes), ..AutoSkipSettings::default() });
        let backfills = Backfills::new(stage.broker.clone(), "words", stage.clock);
        tokio::time::sleep(minutes).await;
        assert!(backfills.list().await.unwrap().is_empty(), "nothing is that old");
        tokio::time::sleep(minutes).await;
        let jobs = backfills.list().await.unwrap();
        assert_eq!(jobs.len(), 1, "partition {silent} is silent");
        assert_eq!(jobs[0].job.total(), 1_000);
        assert!(jobs[0].job.reason.contains(" s behind, more than 300 for "), "{}", jobs[0].job.reason);
        watching.abort();
        stage.stop().await;
    }
}

/// Nobody waits for the seek, as after Ctrl-C.
#[tokio::test(start_paused = true)]
async fn a_seek_that_nobody_waits_for_is_said_to_be_made_all_the_same() {
    let stage = Stage::open(true).await;
    let (broker, control, clock) = (stage.broker.clone(), stage.control.clone(), stage.clock);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let operator = Operator::new(broker.clone(), "words", clock);
    let plan = operator.plan_seek(&source(), &SeekTo::Earliest).await.unwrap();
    operator.seek(plan, "ann@desk", "").await.unwrap();
    assert!(!stage.is_said_to_be_made().await);
    let watching = watch_seeks(SeekWatch { broker, topology: "words".into(), source: source(), control, clock });
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert!(stage.is_said_to_be_made().await);
    assert_eq!(operator.retire_seeks(&source()).await.unwrap(), 0, "it is said once");
    watching.abort();
    stage.stop().await;
}
