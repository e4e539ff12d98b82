//! A skip, cut between any two of its writes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::cut::{Cut, LONG};
use super::world::{MINUTE, Store, World, open};
use crate::broker::{Broker, GroupSettings, LogSpout, LogSpoutSettings};
use crate::control::backfill::{Backfills, Bound, Draft, Job};
use crate::control::{Control, ControlSettings, SeekTo, SpoutSource};
use crate::runtime::{Options, Running, start};
use crate::topology::{Settings, Topology, Tuning};

/// What the spout has processed before anybody thinks of a skip.
const BEGUN: u64 = 10;
const RECORDS: u64 = 90;

/// A worker of the live stream, which takes its time, and what it has stored.
pub(super) struct Live {
    control: Control,
    running: Running,
}

pub(super) fn source(world: &World) -> SpoutSource {
    SpoutSource { spout: "lines".into(), topic: world.topic(), group: "g".into() }
}

impl Live {
    pub(super) async fn start(
        world: &World,
        broker: Arc<dyn Broker>,
        dir: &std::path::Path,
        store: &Store,
    ) -> Self {
        let settings = ControlSettings { clock: world.clock, ..ControlSettings::new(dir, "worker") };
        let control = Control::start(broker.clone(), &world.name, settings).await;
        let spout = LogSpout::new(broker, LogSpoutSettings::new(world.topic(), GroupSettings::new("g")))
            .steered(control.seeks("lines", &world.topic(), "g"));
        let t = Topology::new("live");
        t.spout("lines", spout).sink("store", store.clone());
        let defaults = Tuning::default().batch(5).max_pending(2).rows(5);
        let running = start(t, &Settings { defaults, ..Settings::default() }, Options::default()).unwrap();
        Self { control, running }
    }

    pub(super) async fn stop(self) {
        self.running.stopper().stop();
        let report = self.running.wait().await;
        assert_eq!(report.exit_code(), 0, "{report:?}");
        self.control.close().await;
    }
}

fn places(offsets: std::ops::Range<u64>) -> BTreeSet<(u32, u64)> {
    offsets.map(|offset| (0, offset)).collect()
}

/// Asks for a skip to the newest; the job once all is written.
async fn skip(world: &World, broker: Arc<dyn Broker>) -> Job {
    let backfills = Backfills::new(broker, &world.name, world.clock);
    let draft = Draft { chunk: 30, share: 1.0, ..Draft::new("", Bound::Earliest, Bound::Latest, "ann@desk") };
    let (plan, job) = backfills.plan_skip(&source(world), &SeekTo::Latest, &draft).await.unwrap();
    backfills.skip(plan, job.expect("there is something to bring")).await.unwrap().1
}

/// Whatever has become of it: a worker of the live stream and one of jobs bring all that was not processed; the newest at
/// once where the skip was made. Whether it was.
async fn check_rest(world: &World, dir: &std::path::Path, live: &Store) -> bool {
    let control_dir = dir.join(format!("{}-heir", world.name));
    let heir = Live::start(world, world.log.clone(), &control_dir, live).await;
    let jobs = world.backfills().list().await.unwrap();
    if let [status] = &jobs[..] {
        let ranges = &status.job.ranges;
        assert_eq!((ranges.len(), ranges[0].to), (1, RECORDS), "{}", world.name);
        let worker = world.start(world.settings("w"), 1, Options::default());
        world.until_over(&status.job.id).await;
        worker.stopper().stop();
        assert_eq!(worker.wait().await.exit_code(), 0);
        assert_eq!(world.stored(), places(ranges[0].from..ranges[0].to), "{}: exactly what it is for", world.name);
        let is_skipped = !live.stored.lock().unwrap().contains_key(&(0, RECORDS - 1));
        assert!(is_skipped, "{}: the spout has read what it was to skip", world.name);
    }
    for _ in 0..1_000 {
        if world.log.committed("g", &world.topic()).await.unwrap() == [Some(RECORDS)] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    heir.stop().await;
    assert_eq!(world.log.committed("g", &world.topic()).await.unwrap(), [Some(RECORDS)], "{}", world.name);
    let stored: BTreeSet<_> = live.stored.lock().unwrap().keys().copied().collect();
    let all: BTreeSet<_> = stored.union(&world.stored()).copied().collect();
    assert_eq!(all, places(BEGUN..RECORDS), "{}: nothing is left out", world.name);
    assert!(!jobs.is_empty() || stored == all, "{}: as if nobody had asked", world.name);
    !jobs.is_empty()
}

async fn world(log: &Arc<crate::broker::embedded::EmbeddedBroker>, name: String) -> (World, Store) {
    let world = World::new(log, &name, 1, false).await;
    world.fill(0, RECORDS, 1_000).await;
    log.reset("g", &world.topic(), &[(0, BEGUN)]).await.unwrap();
    (world, Store { stored: Arc::default(), takes: Duration::from_millis(70) })
}

/// At each of its writes whoever asks for the skip dies, before it is made and right after.
#[tokio::test(start_paused = true)]
async fn who_asks_for_a_skip_may_die_at_any_write() {
    let (dir, log) = open();
    for after in [false, true] {
        let mut made = Vec::new();
        for writes in 0.. {
            let (world, live) = world(&log, format!("ask-{after}-{writes}")).await;
            let cut = Cut::at(&log, writes, after);
            let died = tokio::select! {
                () = cut.death.notified() => true,
                _job = skip(&world, Arc::new(cut.clone())) => false,
            };
            made.push(check_rest(&world, dir.path(), &live).await);
            if !died {
                break;
            }
        }
        assert!(made.len() >= 3 && made.is_sorted() && made.first() != made.last(), "{after}: {made:?}");
    }
}

/// At each of its writes and commits the worker that is to be moved dies, before it is made and right after, with records in
/// flight.
#[tokio::test(start_paused = true)]
async fn who_is_moved_by_a_skip_may_die_at_any_write() {
    let (dir, log) = open();
    for after in [false, true] {
        let mut deaths = 0;
        for writes in 0.. {
            let (world, live) = world(&log, format!("move-{after}-{writes}")).await;
            let cut = Cut::at(&log, writes, after);
            let moved = async {
                let control_dir = dir.path().join(&world.name);
                let broker: Arc<dyn Broker> = Arc::new(cut.clone());
                let worker = Live::start(&world, broker, &control_dir, &live).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
                skip(&world, world.log.clone()).await;
                while world.log.committed("g", &world.topic()).await.unwrap() != [Some(RECORDS)] {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                worker.stop().await;
            };
            let died = tokio::select! {
                () = cut.death.notified() => true,
                moved = tokio::time::timeout(LONG, moved) => moved.map(|()| false).expect("it is moved"),
            };
            // A session that has ended without a word.
            tokio::time::sleep(MINUTE).await;
            check_rest(&world, dir.path(), &live).await;
            if !died {
                break;
            }
            deaths += 1;
        }
        assert!(deaths >= 2, "its first word and the commit that moves it: {deaths}");
    }
}
