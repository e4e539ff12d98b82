//! Skipping ahead: the newest records now, and those between by a job, whatever dies on the way.

use super::seeks::{append, fill, last_stored, run, source, stop};
use super::*;
use crate::broker::{LogRecord, OnGap};
use crate::control::SeekTo;
use crate::control::backfill::{
    BackfillError, BackfillSettings, BackfillSpout, Backfills, Bound, Draft, Job, Range, State,
};
use crate::runtime::{Options, Running as Run, start};
use crate::topology::{Rejected, Result, Settings, Sink, Topology};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// What a job has emitted.
type Places = Arc<Mutex<BTreeSet<(u32, u64)>>>;

#[derive(Clone)]
struct Keep(Places);

impl Sink for Keep {
    type In = LogRecord;

    async fn write(&mut self, rows: &[&LogRecord]) -> Result<Rejected> {
        self.0.lock().unwrap().extend(rows.iter().map(|row| (row.origin.partition, row.origin.offset)));
        Ok(Rejected::none())
    }
}

fn backfills(stage: &Stage) -> Backfills {
    Backfills::new(stage.broker.clone(), TOPOLOGY, stage.clock)
}

/// How jobs are worked at: in small chunks, at full speed.
fn draft() -> Draft {
    Draft { chunk: 100, share: 1.0, ..Draft::new("", Bound::Earliest, Bound::Latest, "ann@desk") }
}

/// A worker of jobs.
fn work(stage: &Stage, worker: &str, places: &Places) -> Run {
    let settings = BackfillSettings { clock: stage.clock, ..BackfillSettings::new(TOPOLOGY, "source", worker) };
    let t = Topology::new("backfill");
    t.spout("backfill", BackfillSpout::new(stage.broker.clone(), settings))
        .shuffle()
        .sink("keep", Keep(places.clone()));
    start(t, &Settings::default(), Options::default()).unwrap()
}

async fn until_finished(stage: &Stage, job: &Job) {
    for _ in 0..10_000 {
        if backfills(stage).show(&job.id).await.unwrap().state == State::Finished {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} does not end", job.id);
}

/// Every place of these ranges.
fn places_of(ranges: &[Range]) -> BTreeSet<(u32, u64)> {
    ranges.iter().flat_map(|range| (range.from..range.to).map(|offset| (range.partition, offset))).collect()
}

#[tokio::test(start_paused = true)]
async fn the_newest_come_now_and_those_between_by_a_job_that_has_exactly_them() {
    let stage = Stage::open().await;
    fill(&stage, 2, 5_000).await;
    let (stored, control) = (Default::default(), stage.worker("one").await);
    let live = run(&stage, &control, &stored, OnGap::Stop);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (operator, backfills) = (stage.operator(), backfills(&stage));
    let (plan, job) = backfills.plan_skip(&source(), &SeekTo::Latest, &draft()).await.unwrap();
    assert!(backfills.list().await.unwrap().is_empty(), "looking changes nothing");
    let (seeking, job) = backfills.skip(plan.clone(), job.unwrap()).await.unwrap();
    assert!(operator.await_sought(&seeking, MINUTE).await.missing.is_empty());
    append(&stage, 2, 3).await;
    until("what came afterwards", || (0..2).all(|p| last_stored(&stored, p) == Some(5_002))).await;
    let ranges: Vec<Range> =
        plan.moves.iter().map(|m| Range { partition: m.partition, from: m.from, to: m.to }).collect();
    assert_eq!((&job.ranges, job.skip.as_deref()), (&ranges, Some("lines")));

    let places = Places::default();
    let jobs = work(&stage, "one", &places);
    until_finished(&stage, &job).await;
    assert_eq!(*places.lock().unwrap(), places_of(&ranges), "exactly what was skipped");
    stop(jobs).await;
    stop(live).await;
    let live: BTreeSet<(u32, u64)> =
        stored.lock().unwrap().iter().flat_map(|(p, offsets)| offsets.iter().map(|o| (*p, *o))).collect();
    let all: BTreeSet<_> = live.union(&places.lock().unwrap()).copied().collect();
    let every: BTreeSet<_> = (0..2).flat_map(|p| (0..5_003).map(move |offset| (p, offset))).collect();
    assert_eq!(all, every, "nothing is left out");
    assert!(stage.operator().audit(10).await.unwrap().iter().any(|record| record.action == "backfill create"));
}

/// Its record without the seek would have workers bring what the live stream brings as well, and no cursor moved.
#[tokio::test(start_paused = true)]
async fn the_job_of_a_skip_is_not_made_without_it() {
    let stage = Stage::open().await;
    fill(&stage, 1, 1_000).await;
    let backfills = backfills(&stage);
    let (_, job) = backfills.plan_skip(&source(), &SeekTo::Latest, &draft()).await.unwrap();
    let error = backfills.put(&job.unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "invalid skip: it is made by `Backfills::skip`, which moves the cursor as well");
    assert!(backfills.list().await.unwrap().is_empty());
    assert!(stage.operator().audit(10).await.unwrap().is_empty(), "nor does anything say so");
}

/// Before a skip is recorded nothing has happened, and afterwards all of it will, whoever dies. Each of the writes
/// between is cut by the tests of [`backfill`](crate::control::backfill).
#[tokio::test(start_paused = true)]
async fn whoever_dies_there_is_never_a_moved_cursor_without_its_job_nor_the_other_way_round() {
    // Who asks for it dies: 0 before the record, 1 after it. The worker dies: 2 after it has moved.
    for dies in 0..3 {
        let stage = Stage::open().await;
        fill(&stage, 1, 1_000).await;
        stage.broker.reset("g", "source", &[(0, 100)]).await.unwrap();
        let backfills = backfills(&stage);
        let (plan, job) = backfills.plan_skip(&source(), &SeekTo::Latest, &draft()).await.unwrap();
        let mut job = job.unwrap();
        if dies > 0 {
            job = backfills.skip(plan, job).await.unwrap().1;
        }
        if dies > 1 {
            let (stored, control) = (Default::default(), stage.worker("first").await);
            let live = run(&stage, &control, &stored, OnGap::Stop);
            for _ in 0..1_000 {
                if stage.broker.committed("g", "source").await.unwrap() == [Some(1_000)] {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(stage.broker.committed("g", "source").await.unwrap(), [Some(1_000)], "it has not moved");
            drop((live, control));
        }
        let (stored, control) = (Default::default(), stage.worker("second").await);
        let live = run(&stage, &control, &stored, OnGap::Stop);
        let places = Places::default();
        let jobs = work(&stage, "second", &places);
        append(&stage, 1, 1).await;
        until("the newest", || last_stored(&stored, 0) == Some(1_000)).await;
        if dies == 0 {
            assert!(backfills.list().await.unwrap().is_empty());
            assert_eq!(stored.lock().unwrap()[&0], (100..=1_000).collect::<Vec<u64>>(), "as if nobody had asked");
        } else {
            until_finished(&stage, &job).await;
            assert_eq!(*places.lock().unwrap(), places_of(&job.ranges), "{dies}");
            assert_eq!(job.ranges, [Range { partition: 0, from: 100, to: 1_000 }]);
            assert_eq!(stored.lock().unwrap()[&0], [1_000], "{dies}: the spout was moved, once");
        }
        stop(live).await;
        stop(jobs).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_skip_leads_ahead_and_not_over_records_of_another_job() {
    let stage = Stage::open().await;
    fill(&stage, 2, 100).await;
    stage.broker.reset("g", "source", &[(0, 50), (1, 100)]).await.unwrap();
    let backfills = backfills(&stage);
    let to = SeekTo::Offsets(BTreeMap::from([(0, 10)]));
    let error = backfills.plan_skip(&source(), &to, &draft()).await.unwrap_err();
    assert!(matches!(error, BackfillError::NotAhead { partition: 0, from: 50, to: 10, .. }), "{error}");
    assert!(error.to_string().contains("use `seek`"), "{error}");
    let (plan, none) =
        backfills.plan_skip(&source(), &SeekTo::Offsets([(1, 100)].into()), &draft()).await.unwrap();
    assert!(plan.totals() == (0, 0) && none.is_none(), "it stands there");

    let (plan, job) = backfills.plan_skip(&source(), &SeekTo::Latest, &draft()).await.unwrap();
    let job = job.unwrap();
    assert_eq!(job.ranges.len(), 1, "the other partition stands at its end");
    backfills.skip(plan, job).await.unwrap();
    let error = backfills.plan_skip(&source(), &SeekTo::Latest, &draft()).await.unwrap_err();
    assert!(matches!(error, BackfillError::Overlaps { .. }), "asked for twice: {error}");
}

/// What is to be repeated is repeated, and not passed over by a skip that knows nothing of it.
#[tokio::test(start_paused = true)]
async fn a_skip_waits_for_a_seek_that_is_on_its_way() {
    let stage = Stage::open().await;
    fill(&stage, 2, 100).await;
    stage.broker.reset("g", "source", &[(0, 50), (1, 50)]).await.unwrap();
    let (operator, backfills) = (stage.operator(), backfills(&stage));
    let back = operator.plan_seek(&source(), &SeekTo::Offsets([(0, 10)].into())).await.unwrap();
    let seeking = operator.seek(back, "ann@desk", "").await.unwrap();
    let error = backfills.plan_skip(&source(), &SeekTo::Latest, &draft()).await.unwrap_err();
    assert!(matches!(error, BackfillError::Unmade { partition: 0, offset: 10, .. }), "{error}");
    let other = SeekTo::Offsets([(1, 100)].into());
    assert!(backfills.plan_skip(&source(), &other, &draft()).await.unwrap().1.is_some(), "no seek of that one");

    let (stored, control) = (Default::default(), stage.worker("one").await);
    control.spout("lines").set(false);
    let live = run(&stage, &control, &stored, OnGap::Stop);
    assert!(operator.await_sought(&seeking, MINUTE).await.missing.is_empty());
    let (_, job) = backfills.plan_skip(&source(), &SeekTo::Latest, &draft()).await.unwrap();
    let ranges = [(0, 10), (1, 50)].map(|(partition, from)| Range { partition, from, to: 100 });
    assert_eq!(job.unwrap().ranges, ranges);
    stop(live).await;
}

/// A group that has lost what its commits said is not sent by what was done long ago, nor is another group.
#[tokio::test(start_paused = true)]
async fn a_skip_that_is_done_sends_nobody_again() {
    let stage = Stage::open().await;
    fill(&stage, 1, 500).await;
    let (stored, control) = (Default::default(), stage.worker("one").await);
    control.spout("lines").set(false);
    let live = run(&stage, &control, &stored, OnGap::Stop);
    let (plan, job) = backfills(&stage).plan_skip(&source(), &SeekTo::Latest, &draft()).await.unwrap();
    let (seeking, _job) = backfills(&stage).skip(plan, job.unwrap()).await.unwrap();
    assert!(stage.operator().await_sought(&seeking, MINUTE).await.missing.is_empty());
    stop(live).await;
    control.close().await;
    // As other tools do it: without a word beside the offset.
    stage.broker.reset("g", "source", &[(0, 7)]).await.unwrap();
    let (stored, control) = (Default::default(), stage.worker("two").await);
    let live = run(&stage, &control, &stored, OnGap::Stop);
    until("all of it", || last_stored(&stored, 0) == Some(499)).await;
    assert_eq!(stored.lock().unwrap()[&0], (7..500).collect::<Vec<u64>>());
    stop(live).await;
}
