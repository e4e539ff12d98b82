//! Spouts that go on elsewhere, from the operator's request to the commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::*;
use crate::broker::{GroupSettings, LogRecord, LogSpout, LogSpoutSettings, OnGap, TopicSpec};
use crate::control::backfill::{Backfills, Bound, Draft};
use crate::control::{ControlError, SeekTo, SpoutSource};
use crate::runtime::{Options, Running as Run, start};
use crate::topology::{Rejected, Result, Settings, Sink, Topology, Tuning};

/// Offsets that were stored, by partition, in order.
pub(super) type Stored = Arc<Mutex<BTreeMap<u32, Vec<u64>>>>;

/// Takes 10 ms for each write.
#[derive(Clone)]
struct Store(Stored);

impl Sink for Store {
    type In = LogRecord;

    async fn write(&mut self, rows: &[&LogRecord]) -> Result<Rejected> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut stored = self.0.lock().unwrap();
        rows.iter().for_each(|row| stored.entry(row.origin.partition).or_default().push(row.origin.offset));
        Ok(Rejected::none())
    }
}

pub(super) fn source() -> SpoutSource {
    SpoutSource { spout: "lines".into(), topic: "source".into(), group: "g".into() }
}

pub(super) async fn fill(stage: &Stage, partitions: u32, records: u64) {
    stage.broker.create_topic(&TopicSpec::new("source", partitions)).await.unwrap();
    append(stage, partitions, records).await;
}

pub(super) async fn append(stage: &Stage, partitions: u32, records: u64) {
    let record = |partition, value: u64| Append {
        partition: Some(partition),
        value: Some(value.to_string().into()),
        timestamp_ms: Some(stage.clock.unix_ms()),
        ..Append::default()
    };
    let records = (0..partitions).flat_map(|partition| (0..records).map(move |value| record(partition, value)));
    stage.broker.producer().unwrap().append("source", records.collect()).await.unwrap();
}

/// A worker that stores what it reads, at most 10 records each 10 ms.
pub(super) fn run(stage: &Stage, control: &Control, stored: &Stored, on_gap: OnGap) -> Run {
    let settings = LogSpoutSettings { on_gap, ..LogSpoutSettings::new("source", GroupSettings::new("g")) };
    let spout = LogSpout::new(stage.broker.clone(), settings)
        .gated(Arc::new(control.spout("lines")))
        .steered(control.seeks("lines", "source", "g"));
    let t = Topology::new(TOPOLOGY);
    t.spout("lines", spout).sink("store", Store(stored.clone()));
    let defaults = Tuning::default().batch(10).max_pending(1).rows(10);
    start(t, &Settings { defaults, ..Settings::default() }, Options::default()).unwrap()
}

pub(super) async fn stop(run: Run) {
    run.stopper().stop();
    let report = run.wait().await;
    assert_eq!(report.exit_code(), 0, "{report:?}");
}

pub(super) fn last_stored(stored: &Stored, partition: u32) -> Option<u64> {
    stored.lock().unwrap().get(&partition).and_then(|offsets| offsets.last().copied())
}

#[tokio::test(start_paused = true)]
async fn every_partition_of_every_worker_goes_where_the_operator_says_and_the_answer_names_who_has_it() {
    let stage = Stage::open().await;
    fill(&stage, 4, 10_000).await;
    let (stored, operator) = (Stored::default(), stage.operator());
    let (one, two) = (stage.worker("one").await, stage.worker("two").await);
    let runs = [run(&stage, &one, &stored, OnGap::Stop), run(&stage, &two, &stored, OnGap::Stop)];
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(operator.spouts().await.unwrap(), [source()]);

    let plan = operator.plan_seek(&source(), &SeekTo::Latest).await.unwrap();
    assert_eq!(plan.moves.len(), 4);
    let (skipped, repeated) = plan.totals();
    assert!(skipped > 20_000 && repeated == 0, "{plan:?}");
    let seeking = operator.seek(plan.clone(), "ann@desk", "the backlog is old news").await.unwrap();
    let answers = operator.await_sought(&seeking, MINUTE).await;
    assert!(answers.missing.is_empty(), "{answers:?}");
    let by: BTreeMap<u32, &str> = answers.moved.iter().map(|(at, (worker, _))| (*at, worker.as_str())).collect();
    assert_eq!(by.values().filter(|worker| **worker == "one").count(), 2, "{by:?}");
    assert!(answers.took().unwrap() < MINUTE);

    append(&stage, 4, 3).await;
    until("what came afterwards is stored", || (0..4).all(|p| last_stored(&stored, p) == Some(10_002))).await;
    assert!(stored.lock().unwrap().values().all(|offsets| offsets.len() < 5_000), "the rest was skipped");
    let audit = operator.audit(10).await.unwrap();
    let last = audit.last().unwrap();
    assert_eq!(
        (last.action.as_str(), last.target.as_str(), last.who.as_str()),
        ("seek", "spout/lines", "ann@desk")
    );
    assert_eq!(last.details["moves"][0]["skipped"], plan.moves[0].skipped);
    for run in runs {
        stop(run).await;
    }
    assert_eq!(stage.broker.committed("g", "source").await.unwrap(), [Some(10_003); 4]);
    // Nothing is left that a later start would apply again.
    stage.broker.reset("g", "source", &[(0, 5)]).await.unwrap();
    let (stored, three) = (Stored::default(), stage.worker("three").await);
    let again = run(&stage, &three, &stored, OnGap::Stop);
    until("it reads on where it was reset", || last_stored(&stored, 0).is_some()).await;
    assert_eq!(stored.lock().unwrap()[&0][0], 5);
    stop(again).await;
}

/// Whoever asked for it must not be told that it failed.
#[tokio::test(start_paused = true)]
async fn a_seek_that_was_made_is_made_though_its_answers_cannot_be_read() {
    let stage = Stage::open().await;
    fill(&stage, 2, 100).await;
    let operator = stage.operator();
    let plan = operator.plan_seek(&source(), &SeekTo::Latest).await.unwrap();
    let seeking = operator.seek(plan, "ann", "").await.unwrap();
    stage.broker.away(true);
    let answers = operator.await_sought(&seeking, Duration::from_secs(5)).await;
    assert!(answers.moved.is_empty() && answers.missing == BTreeSet::from([0, 1]), "{answers:?}");
    stage.broker.away(false);
    let (stored, control) = (Stored::default(), stage.worker("one").await);
    let run = run(&stage, &control, &stored, OnGap::Stop);
    assert!(operator.await_sought(&seeking, 10 * MINUTE).await.missing.is_empty());
    stop(run).await;
    assert!(stored.lock().unwrap().is_empty(), "it goes on with the newest");
}

#[tokio::test(start_paused = true)]
async fn a_seek_needs_no_worker_at_work_and_a_later_one_wins() {
    let stage = Stage::open().await;
    fill(&stage, 2, 100).await;
    let operator = stage.operator();
    for (offset, reason) in [(90, "first"), (40, "second")] {
        let to = SeekTo::Offsets(BTreeMap::from([(1, offset)]));
        let plan = operator.plan_seek(&source(), &to).await.unwrap();
        assert_eq!((plan.moves.len(), plan.moves[0].skipped), (1, offset));
        let seeking = operator.seek(plan, "ann", reason).await.unwrap();
        let answers = operator.await_sought(&seeking, Duration::from_secs(1)).await;
        assert_eq!(answers.missing.into_iter().collect::<Vec<_>>(), [1], "nobody is there to do it");
    }
    let (stored, control) = (Stored::default(), stage.worker("one").await);
    let run = run(&stage, &control, &stored, OnGap::Stop);
    until("all is stored", || (0..2).all(|p| last_stored(&stored, p) == Some(99))).await;
    stop(run).await;
    let stored = stored.lock().unwrap();
    assert_eq!((stored[&0].len(), stored[&1].len(), stored[&1][0]), (100, 60, 40));
}

/// Clocks differ, and a seek that is done is not forgotten: its number is passed.
#[tokio::test(start_paused = true)]
async fn a_seek_by_a_clock_that_is_behind_is_made_all_the_same() {
    let stage = Stage::open().await;
    fill(&stage, 1, 100).await;
    let (stored, control) = (Stored::default(), stage.worker("one").await);
    let run = run(&stage, &control, &stored, OnGap::Stop);
    until("all is stored", || last_stored(&stored, 0) == Some(99)).await;
    let mut before = 0;
    for (behind_ms, offset) in [(0, 50), (600_000, 20), (60_000, 70)] {
        let clock = Clock::at(stage.clock.unix_ms() - behind_ms);
        let operator = Operator::new(stage.broker.clone(), TOPOLOGY, clock);
        let plan = operator.plan_seek(&source(), &SeekTo::Offsets([(0, offset)].into())).await.unwrap();
        stored.lock().unwrap().clear();
        let seeking = operator.seek(plan, "ann", "").await.unwrap();
        assert!(seeking.record.number > before, "{behind_ms}");
        before = seeking.record.number;
        until("it is there again", || last_stored(&stored, 0) == Some(99)).await;
        assert_eq!(stored.lock().unwrap()[&0][0], offset, "{behind_ms}");
        stage.settle().await;
        assert!(stage.operator().await_sought(&seeking, MINUTE).await.missing.is_empty());
    }
    stop(run).await;
}

/// What is asked for last holds, also when it is to stay where the commit is.
#[tokio::test(start_paused = true)]
async fn a_seek_that_nobody_has_made_yet_is_taken_back_by_another() {
    let stage = Stage::open().await;
    fill(&stage, 1, 100).await;
    stage.broker.reset("g", "source", &[(0, 10)]).await.unwrap();
    let operator = stage.operator();
    for offset in [90, 10] {
        let plan = operator.plan_seek(&source(), &SeekTo::Offsets([(0, offset)].into())).await.unwrap();
        operator.seek(plan, "ann", "").await.unwrap();
    }
    let (stored, control) = (Stored::default(), stage.worker("one").await);
    let run = run(&stage, &control, &stored, OnGap::Stop);
    until("all is stored", || last_stored(&stored, 0) == Some(99)).await;
    assert_eq!(stored.lock().unwrap()[&0], (10..100).collect::<Vec<u64>>());
    stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_time_is_the_first_record_from_then_on_and_what_is_not_there_is_refused() {
    let stage = Stage::open().await;
    fill(&stage, 2, 100).await;
    tokio::time::sleep(MINUTE).await;
    let then = stage.clock.unix_ms();
    append(&stage, 2, 10).await;
    let operator = stage.operator();
    let plan = operator.plan_seek(&source(), &SeekTo::Time(then)).await.unwrap();
    assert_eq!(plan.moves.iter().map(|m| (m.from, m.to)).collect::<Vec<_>>(), [(0, 100), (0, 100)]);
    let plan = operator.plan_seek(&source(), &SeekTo::Time(then + 1_000)).await.unwrap();
    assert_eq!(plan.moves[0].to, 110, "no record is that young");
    let refused = async |partition, offset| {
        let to = SeekTo::Offsets(BTreeMap::from([(partition, offset)]));
        match operator.plan_seek(&source(), &to).await {
            Err(ControlError::BadSeek(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(2, 0).await, "source has no partition 2; it has 0 to 1");
    assert_eq!(refused(1, 111).await, "source[1] has no offset 111; it holds 0 to 110, which is the end");
    assert!(operator.audit(10).await.unwrap().is_empty(), "looking changes nothing");
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_shown_and_ends_with_a_seek_that_keeps_what_was_lost() {
    let stage = Stage::open().await;
    fill(&stage, 2, 100).await;
    stage.broker.reset("g", "source", &[(0, 10)]).await.unwrap();
    stage.broker.delete_before("source", 0, 60).await;
    let (stored, operator, control) = (Stored::default(), stage.operator(), stage.worker("one").await);
    let run = run(&stage, &control, &stored, OnGap::Stop);
    until("the other partition", || last_stored(&stored, 1) == Some(99)).await;
    tokio::time::sleep(MINUTE).await;
    let gap = Some(crate::broker::Gap { from: 10, to: 60 });
    let standing = operator.workers().await.unwrap()[0].heartbeat.cursors[0].partitions.clone();
    assert_eq!(standing.iter().map(|partition| partition.gap).collect::<Vec<_>>(), [gap, None]);
    let lag = operator.lag(&source(), Duration::ZERO).await.unwrap();
    assert_eq!((lag[0].gap, lag[0].lag, lag[0].catch_up_s), (gap, 40, None));
    assert_eq!((lag[1].gap, lag[1].lag, lag[1].worker.as_deref()), (None, 0, Some("one")));
    assert_eq!(lag[0].behind_ms, Some(stage.clock.unix_ms() - BEGAN_MS));

    let plan = operator.plan_seek(&source(), &SeekTo::Earliest).await.unwrap();
    let first = plan.moves[0];
    assert_eq!((first.to, first.skipped, first.repeated, first.lost), (60, 0, 0, gap));
    let plan = operator.plan_seek(&source(), &SeekTo::Offsets(BTreeMap::from([(0, 60)]))).await.unwrap();
    let seeking = operator.seek(plan, "ann", "they are gone").await.unwrap();
    assert!(operator.await_sought(&seeking, MINUTE).await.missing.is_empty());
    until("what is left", || last_stored(&stored, 0) == Some(99)).await;
    assert_eq!(stored.lock().unwrap()[&0], (60..100).collect::<Vec<u64>>());
    let audit = operator.audit(10).await.unwrap();
    let actions: Vec<_> = audit.iter().map(|record| (record.action.as_str(), record.target.as_str())).collect();
    assert_eq!(actions, [("lost", "source[0]"), ("seek", "spout/lines")]);
    assert_eq!(audit[0].details, serde_json::json!({ "from": 10, "to": 60 }));
    stop(run).await;
}

/// That a log was cut is known to the worker alone once it has grown beyond where it was read.
#[tokio::test(start_paused = true)]
async fn a_gap_that_only_the_worker_knows_is_shown_until_it_stands_elsewhere() {
    let stage = Stage::open().await;
    fill(&stage, 2, 100).await;
    stage.broker.reset("g", "source", &[(0, 50), (1, 50)]).await.unwrap();
    let control = stage.worker("one").await;
    let seeks = control.seeks("lines", "source", "g");
    (0..2).for_each(|partition| seeks.stands(0, partition, 0));
    let cut = crate::broker::Gap { from: 50, to: 0 };
    seeks.stopped(0, cut);
    stage.settle().await;
    let operator = stage.operator();
    let gaps = async || {
        let lag = operator.lag(&source(), Duration::ZERO).await.unwrap();
        lag.iter().map(|partition| partition.gap).collect::<Vec<_>>()
    };
    assert_eq!(gaps().await, [Some(cut), None]);
    seeks.stands(0, 0, 7);
    stage.settle().await;
    assert_eq!(gaps().await, [None, None]);
}

/// What is read and committed while the log is asked is neither a gap nor anything to go back for.
#[tokio::test(start_paused = true)]
async fn a_spout_that_has_caught_up_is_not_past_the_end() {
    let stage = Stage::open().await;
    fill(&stage, 2, 100).await;
    stage.broker.reset("g", "source", &[(0, 100), (1, 100)]).await.unwrap();
    stage.broker.busy("g", "source");
    let operator = stage.operator();
    for over in [Duration::ZERO, Duration::from_secs(1)] {
        for held in operator.lag(&source(), over).await.unwrap() {
            assert!(held.gap.is_none() && held.committed <= Some(held.latest), "{held:?}");
        }
    }
    let plan = operator.plan_seek(&source(), &SeekTo::Latest).await.unwrap();
    assert!(plan.moves.len() == 2 && plan.totals().1 == 0, "{plan:?}");
    let backfills = Backfills::new(stage.broker.clone(), TOPOLOGY, stage.clock);
    let draft = Draft::new("", Bound::Earliest, Bound::Latest, "ann@desk");
    backfills.plan_skip(&source(), &SeekTo::Latest, &draft).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_over_by_the_settings_is_in_the_list_of_what_was_lost() {
    let stage = Stage::open().await;
    fill(&stage, 1, 100).await;
    stage.broker.reset("g", "source", &[(0, 10)]).await.unwrap();
    stage.broker.delete_before("source", 0, 60).await;
    let (stored, control) = (Stored::default(), stage.worker("one").await);
    let run = run(&stage, &control, &stored, OnGap::Earliest);
    until("what is left", || last_stored(&stored, 0) == Some(99)).await;
    stop(run).await;
    let audit = stage.operator().audit(10).await.unwrap();
    assert_eq!(audit.len(), 1);
    assert_eq!((audit[0].action.as_str(), audit[0].who.as_str()), ("lost", "one"));
    assert_eq!(audit[0].details, serde_json::json!({ "from": 10, "to": 60 }));
}

#[tokio::test(start_paused = true)]
async fn the_rates_tell_when_a_spout_will_have_caught_up() {
    let stage = Stage::open().await;
    fill(&stage, 1, 20_000).await;
    let (stored, operator, control) = (Stored::default(), stage.operator(), stage.worker("one").await);
    let run = run(&stage, &control, &stored, OnGap::Stop);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let lag = operator.lag(&source(), Duration::from_secs(5)).await.unwrap().remove(0);
    assert!(lag.rate > 500.0 && lag.rate < 1500.0, "10 records each 10 ms: {lag:?}");
    let seconds = lag.lag as f64 / lag.rate;
    assert!((lag.catch_up_s.unwrap() - seconds).abs() < 0.1, "{lag:?}");
    stop(run).await;
    let lag = operator.lag(&source(), Duration::from_secs(5)).await.unwrap().remove(0);
    assert_eq!((lag.rate, lag.catch_up_s), (0.0, None), "nobody reads");
}
