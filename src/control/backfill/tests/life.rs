//! A job's life, cut between any two of its steps; and what a worker does with single things that happen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::cut::{Cut, LONG};
use super::world::{BEGAN_MS, World, open};
use crate::broker::LogRecord;
use crate::broker::addressed::ONLY_SINKS;
use crate::broker::{Append, Broker, dead_letter};
use crate::control::backfill::{BackfillSettings, Bound, Draft, Event, Job, State, Status};
use crate::control::read::{Begin, read};
use crate::control::{Names, Operator};
use crate::guard::Clock;
use crate::runtime::{Ended, Options};
use crate::testing::Faults;
use crate::topology::Class;

async fn create(world: &World, change: impl FnOnce(Draft) -> Draft) -> Job {
    let draft = Draft::new(world.topic(), Bound::Earliest, Bound::Latest, "ann@desk");
    world.backfills().create(&change(Draft { share: 1.0, ..draft })).await.unwrap()
}

fn only(world: &World, job: &Job, worker: &str) -> BackfillSettings {
    BackfillSettings { only: Some(job.id.clone()), ..world.settings(worker) }
}

fn all(records: u64) -> BTreeSet<(u32, u64)> {
    (0..records).map(|offset| (0, offset)).collect()
}

/// At each write of a job's life its worker dies once before it is made and once right after.
#[tokio::test(start_paused = true)]
async fn a_job_goes_on_from_between_any_two_steps_and_is_finished_once() {
    let (_dir, log) = open();
    for after in [false, true] {
        let mut lives = 0;
        for writes in 0.. {
            let mut world = World::new(&log, &format!("cut-{after}-{writes}"), 1, false).await;
            world.store.takes = Duration::from_millis(400);
            world.fill(0, 90, 1_000).await;
            let job = create(&world, |draft| Draft { chunk: 40, ..draft }).await;
            let cut = Cut::at(&log, writes, after);
            let worker = world.start_over(Arc::new(cut.clone()), only(&world, &job, "a"), 1, Options::default());
            let died = tokio::select! {
                () = cut.death.notified() => true,
                report = worker.wait() => {
                    assert_eq!(report.exit_code(), 0, "{report:?}");
                    false
                }
            };
            world.check_progress(&job.id).await;
            if died {
                let heir = world.start(only(&world, &job, "b"), 1, Options::default());
                let report = tokio::time::timeout(LONG, heir.wait()).await.expect("it ends by itself");
                assert!(matches!(report.ended, Ended::Finished) && report.exit_code() == 0, "{report:?}");
            }
            let status = world.show(&job.id).await;
            assert_eq!((status.state, status.done, status.chunks_done), (State::Finished, 90, 3));
            assert_eq!(world.stored(), all(90), "after {writes} writes");
            // Whoever comes later finds nothing to do.
            let stored = world.store.stored.lock().unwrap().clone();
            let late = world.start(only(&world, &job, "c"), 2, Options::default()).wait().await;
            assert!(matches!(late.ended, Ended::Finished));
            assert_eq!(*world.store.stored.lock().unwrap(), stored);
            if !died {
                break;
            }
            lives += 1;
        }
        assert!(lives >= 7, "three claims, three dones and the end: {lives}");
    }
}

/// Retention takes what the ledger says one day. What was finished or cancelled stays so.
#[tokio::test(start_paused = true)]
async fn what_is_over_does_not_begin_anew_when_the_ledger_has_lost_it() {
    let (_dir, log) = open();
    let world = World::new(&log, "over", 2, false).await;
    world.fill(0, 90, 1_000).await;
    world.fill(1, 90, 1_000).await;
    let of = |partition: u32| move |draft: Draft| Draft { partitions: [partition].into(), chunk: 40, ..draft };
    let (finished, cancelled) = (create(&world, of(0)).await, create(&world, of(1)).await);
    world.backfills().cancel(&cancelled.id, "ann", "").await.unwrap();
    let first = world.start(world.settings("a"), 1, Options::default());
    world.until_over(&finished.id).await;
    tokio::time::sleep(LONG).await;
    first.stopper().stop();
    first.wait().await;
    let ledger = Names::of("over").backfill;
    let end = log.bounds(&ledger).await.unwrap()[0].latest;
    log.delete_before(&ledger, 0, end).await.unwrap();

    world.store.stored.lock().unwrap().clear();
    let second = world.start(world.settings("b"), 1, Options::default());
    tokio::time::sleep(LONG).await;
    assert!(world.stored().is_empty(), "nothing is done again");
    let (done, gone) = (world.show(&finished.id).await, world.show(&cancelled.id).await);
    assert_eq!((done.state, done.done, gone.state, gone.done), (State::Finished, 90, State::Cancelled, 0));
    assert!(done.finished_ms.is_some());
    let chunks = |status: &Status| (status.chunks, status.chunks_done, status.chunks_free);
    assert_eq!((chunks(&done), chunks(&gone)), ((3, 3, 0), (3, 0, 3)));
    // Nor does it stand in the way of another job over the same records.
    let again = create(&world, of(0)).await;
    world.until_over(&again.id).await;
    assert_eq!(world.stored(), all(90));
    second.stopper().stop();
    second.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_job_rests_where_it_is_and_a_cancelled_one_ends_its_worker() {
    let (_dir, log) = open();
    let mut world = World::new(&log, "pause", 1, false).await;
    world.store.takes = Duration::from_millis(200);
    world.fill(0, 400, 1_000).await;
    let job = create(&world, |draft| Draft { chunk: 100, ..draft }).await;
    let worker = world.start(only(&world, &job, "a"), 1, Options::default());
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.backfills().pause(&job.id, "ann@desk", "peak hours").await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let rests = world.show(&job.id).await;
    assert_eq!((rests.state, rests.held.len()), (State::Paused, 0), "the chunk is given back");
    assert!(rests.done > 0 && rests.done < 400, "{rests:?}");
    let stored = world.stored();
    assert_eq!(stored.len() as u64, rests.done, "what is settled is told");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.stored(), stored);
    world.backfills().resume(&job.id, "ann@desk", "").await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    world.backfills().cancel(&job.id, "ann@desk", "").await.unwrap();
    let report = tokio::time::timeout(LONG, worker.wait()).await.expect("it ends by itself");
    assert_eq!(report.exit_code(), 0, "{report:?}");
    let ended = world.show(&job.id).await;
    assert!(ended.state == State::Cancelled && ended.done < 400, "{ended:?}");
    assert!(world.store.stored.lock().unwrap().values().all(|times| *times == 1));
    let names: Vec<_> = crate::control::Operator::new(log.clone(), "pause", world.clock)
        .audit(10)
        .await
        .unwrap()
        .into_iter()
        .map(|record| (record.action, record.target == format!("backfill/{}", job.id)))
        .collect();
    let wanted = ["backfill create", "backfill pause", "backfill resume", "backfill cancel"];
    assert_eq!(names, wanted.map(|action| (action.to_owned(), true)));
}

/// Nobody else is to meet the same end, and what can be done is done.
#[tokio::test(start_paused = true)]
async fn a_record_that_fails_for_good_pauses_its_job_and_stops_no_other() {
    let (_dir, log) = open();
    let world = World::new(&log, "stuck", 2, false).await;
    world.fill(0, 90, 1_000).await;
    world.fill(1, 90, 1_000).await;
    let of = |partition: u32| move |draft: Draft| Draft { partitions: [partition].into(), chunk: 40, ..draft };
    let (bad, good) = (create(&world, of(0)).await, create(&world, of(1)).await);
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    let check = move |record: &LogRecord| {
        (record.origin.partition, record.origin.offset) == (0, 47) && broken.load(Ordering::SeqCst)
    };
    let faults = Faults::default().fail("store", check, Class::Retryable, u32::MAX);
    let options = Options { faults: Some(Arc::new(faults)), ..Options::default() };
    let settings = BackfillSettings { max_replays: 3, ..world.settings("a") };
    let worker = world.start(settings, 1, options);
    world.until_over(&good.id).await;
    tokio::time::sleep(LONG).await;
    let status = world.show(&bad.id).await;
    let pause = status.paused.clone().expect("it says why");
    assert_eq!((status.state, status.held.len(), pause.who.as_str()), (State::Paused, 0, "a/0"));
    assert!(pause.reason.contains("stuck-in[0]@40 failed 4 times"), "{pause:?}");
    world.check_progress(&bad.id).await;
    assert_eq!(world.stored().iter().filter(|(partition, _)| *partition == 1).count(), 90);

    is_broken.store(false, Ordering::SeqCst);
    world.backfills().resume(&bad.id, "ann@desk", "").await.unwrap();
    world.until_over(&bad.id).await;
    assert_eq!(world.show(&bad.id).await.paused, None);
    assert_eq!(world.stored().len(), 180);
    worker.stopper().stop();
    assert_eq!(worker.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn records_say_where_they_come_from_and_for_whom_they_are_meant() {
    let (_dir, log) = open();
    let world = World::new(&log, "only", 1, false).await;
    world.fill(0, 10, 1_000).await;
    let sinks = vec!["rows".to_owned(), "views".to_owned()];
    let job = create(&world, |draft| Draft { only_sinks: sinks, ..draft }).await;
    let seen = Arc::new(AtomicBool::new(true));
    let good = seen.clone();
    let check = move |record: &LogRecord| {
        let is_marked = record.headers.last(ONLY_SINKS).is_some_and(|sinks| sinks == "rows,views");
        let right = is_marked && record.headers.len() == 1 && &*record.origin.topic == "only-in";
        good.fetch_and(right, Ordering::SeqCst);
        record.origin.offset == 3
    };
    let faults = Faults::default().fail("store", check, Class::Poison, 10);
    let options = Options { faults: Some(Arc::new(faults)), ..Options::default() };
    let report = world.start(only(&world, &job, "a"), 1, options).wait().await;
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert!(seen.load(Ordering::SeqCst), "also when they come again");
    assert_eq!(world.dead().await, BTreeSet::from([(0, 3)]), "poison is set aside, alone");
    assert_eq!(world.stored().len(), 9);
    let mut cursor = log.cursor("only-dead", &[(0, 0)]).unwrap();
    let letter = &cursor.fetch(10, Duration::ZERO).await.unwrap().unwrap().records[0];
    assert_eq!(letter.headers.last(dead_letter::ORIGIN_TOPIC).unwrap(), "only-in");
    assert_eq!(letter.headers.last(ONLY_SINKS).unwrap(), "rows,views");
}

/// What it says of the time is an hour ahead. Whoever has it then rests longer than a lease lasts, and says so.
#[tokio::test(start_paused = true)]
async fn a_dead_worker_whose_clock_was_ahead_keeps_its_chunk_no_longer_than_any_other() {
    let (_dir, log) = open();
    let mut world = World::new(&log, "ahead", 1, false).await;
    world.store.takes = Duration::from_millis(400);
    world.fill(0, 90, 1_000).await;
    // A rest is 30 s.
    let job = create(&world, |draft| Draft { share: 0.01, ..draft }).await;
    let clock = Clock::at(BEGAN_MS + 3_600_000);
    let dead = world.start(BackfillSettings { clock, ..only(&world, &job, "a") }, 1, Options::default());
    while world.show(&job.id).await.done == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(dead);
    assert!(world.show(&job.id).await.done < 90);
    let began = tokio::time::Instant::now();
    let heirs = ["b", "c"].map(|heir| world.start(only(&world, &job, heir), 1, Options::default()));
    for heir in heirs {
        assert_eq!(heir.wait().await.exit_code(), 0);
    }
    assert!(began.elapsed() < Duration::from_secs(600), "they waited for an hour");
    assert_eq!(world.stored(), all(90));
    let mut claims = 0;
    read(&*log, &Names::of("ahead").backfill, Begin::Earliest, LONG, |record| {
        let event = record.value.as_deref().and_then(Event::decode);
        claims += usize::from(matches!(event, Some(Event::Claim { .. })));
    })
    .await
    .unwrap();
    assert!((2..=3).contains(&claims), "the chunk went to and fro: {claims}");
}

/// The worker ends, and nothing says that the record is done with: not its last words either.
#[tokio::test(start_paused = true)]
async fn poison_that_cannot_be_set_aside_is_still_to_be_brought() {
    let (_dir, log) = open();
    for (name, dead_letters) in [("nowhere", None), ("unknown", Some("no-such-topic".to_owned()))] {
        let world = World::new(&log, name, 1, false).await;
        world.fill(0, 40, 1_000).await;
        let job = create(&world, |draft| draft).await;
        // The last of its run, and of its chunk: everything else is settled.
        let last = |record: &LogRecord| record.origin.offset == 39;
        let faults = Faults::default().fail("store", last, Class::Poison, u32::MAX);
        let options = Options { faults: Some(Arc::new(faults)), ..Options::default() };
        let settings = BackfillSettings { dead_letters, ..only(&world, &job, "a") };
        let report = world.start(settings, 1, options).wait().await;
        assert_ne!(report.exit_code(), 0, "{name}: {report:?}");
        world.check_progress(&job.id).await;
        let heir = world.start(only(&world, &job, "b"), 1, Options::default()).wait().await;
        assert_eq!(heir.exit_code(), 0, "{name}: {heir:?}");
        assert_eq!(world.stored(), all(40), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_retention_took_is_told_and_the_rest_goes_on() {
    let (_dir, log) = open();
    let world = World::new(&log, "gone", 1, false).await;
    world.fill(0, 100, 1_000).await;
    let job = create(&world, |draft| Draft { chunk: 30, ..draft }).await;
    log.delete_before("gone-in", 0, 45).await.unwrap();
    let report = world.start(only(&world, &job, "a"), 1, Options::default()).wait().await;
    assert_eq!(report.exit_code(), 0, "{report:?}");
    let status = world.show(&job.id).await;
    let lost: Vec<_> = status.lost.iter().map(|lost| (lost.from, lost.to)).collect();
    assert_eq!((status.state, lost), (State::Finished, vec![(0, 45)]), "of two chunks");
    assert_eq!(world.stored(), (45..100).map(|offset| (0, offset)).collect());
    let audit = Operator::new(log.clone(), "gone", world.clock).audit(100).await.unwrap();
    let gone: Vec<_> = audit.iter().filter(|record| record.action == "lost").collect();
    assert_eq!(gone.len(), 2, "{audit:?}");
    assert_eq!((&*gone[1].target, &gone[1].details["to"]), ("gone-in[0]", &serde_json::json!(45)));
}

#[tokio::test(start_paused = true)]
async fn a_job_for_a_runner_is_left_to_it_and_what_is_no_job_is_passed_over() {
    let (_dir, log) = open();
    let world = World::new(&log, "runner", 1, false).await;
    world.fill(0, 10, 1_000).await;
    let names = Names::of("runner");
    let junk = |key: &str, value: &str| Append {
        partition: Some(0),
        key: Some(key.to_owned().into()),
        value: Some(value.to_owned().into()),
        ..Append::default()
    };
    let producer = log.producer().unwrap();
    producer.append(&names.control, vec![junk("backfill/x", "{}"), junk("backfill/y", "no")]).await.unwrap();
    let events = [r#"{"kind":"claim","job":"z","chunk":0,"worker":"w","at_ms":1}"#, "no", r#"{"kind":"new"}"#];
    producer.append(&names.backfill, events.map(|event| junk("", event)).to_vec()).await.unwrap();

    let job = create(&world, |draft| Draft { runner: Some("r1".to_owned()), ..draft }).await;
    let plain = world.start(world.settings("a"), 1, Options::default());
    tokio::time::sleep(LONG).await;
    assert!(world.stored().is_empty());
    plain.stopper().stop();
    assert_eq!(plain.wait().await.exit_code(), 0);
    let settings = BackfillSettings { runner: Some("r1".to_owned()), ..only(&world, &job, "b") };
    assert_eq!(world.start(settings, 1, Options::default()).wait().await.exit_code(), 0);
    assert_eq!(world.stored(), all(10));
    let unknown = BackfillSettings { only: Some("b-none".to_owned()), ..world.settings("c") };
    let report = world.start(unknown, 1, Options::default()).wait().await;
    assert!(format!("{:?}", report.ended).contains("no backfill `b-none`"), "{report:?}");
}

/// Whoever is started for one job alone must not wait for one that it will never take.
#[tokio::test(start_paused = true)]
async fn a_worker_of_one_job_that_is_not_for_it_says_so_and_how_to_start_it() {
    let (_dir, log) = open();
    let world = World::new(&log, "astray", 1, false).await;
    world.fill(0, 10, 1_000).await;
    let plain = create(&world, |draft| Draft { only_sinks: vec!["a".to_owned()], ..draft }).await;
    let own =
        create(&world, |draft| Draft { runner: Some("r1".to_owned()), only_sinks: vec!["b".to_owned()], ..draft });
    let own = own.await;
    let start = |job: &Job| format!("start `run --role backup --job {}", job.id);
    let runner = |job: &Job, runner: &str| BackfillSettings {
        runner: Some(runner.to_owned()),
        ..only(&world, job, runner)
    };
    let elsewhere = BackfillSettings { topic: "astray-dead".to_owned(), ..only(&world, &plain, "d") };
    for (settings, said) in [
        (
            only(&world, &own, "a"),
            ["for runner `r1`, and this process is for none", &format!("{} --runner r1`", start(&own))],
        ),
        (runner(&own, "r2"), ["this process is for runner `r2`", &format!("{} --runner r1`", start(&own))]),
        (
            runner(&plain, "r1"),
            ["is for no runner, and this process is for runner `r1`", &format!("{}`", start(&plain))],
        ),
        (
            elsewhere,
            [
                "is over topic `astray-in`, and this process reads `astray-dead`",
                "the configuration that has `astray-in`",
            ],
        ),
    ] {
        let run = world.start(settings, 1, Options::default());
        let report = tokio::time::timeout(LONG, run.wait()).await.expect("it waits without a word");
        let Ended::Failed { error, .. } = &report.ended else { panic!("{report:?}") };
        let error = error.to_string();
        assert!(said.iter().all(|part| error.contains(part)), "{error}");
    }
    assert!(world.stored().is_empty());
}
