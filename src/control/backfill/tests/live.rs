//! Live traffic goes first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::cut::Cut;
use super::world::{World, open};
use crate::broker::Broker;
use crate::broker::embedded::EmbeddedBroker;
use crate::control::backfill::{BackfillSettings, Bound, Draft, Job, LiveStream};
use crate::runtime::{Options, Running};

const RECORDS: u64 = 30_000;
const GROUP: &str = "live";
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// A job over 30,000 records, and a live stream that gets 100 records a second behind them.
struct Scene {
    world: World,
    log: Cut,
    job: Job,
    worker: Running,
    committed: u64,
}

impl Scene {
    async fn open(log: &Arc<EmbeddedBroker>, name: &str, live: Option<LiveStream>) -> Self {
        Self::with_rate(log, name, 100, live).await
    }

    async fn with_rate(log: &Arc<EmbeddedBroker>, name: &str, rate: u64, live: Option<LiveStream>) -> Self {
        Self::with(log, name, (1.0, Some(rate)), Duration::ZERO, live).await
    }

    /// With this share and rate, over a store that takes so long for each write.
    async fn with(
        log: &Arc<EmbeddedBroker>,
        name: &str,
        (share, rate): (f64, Option<u64>),
        takes: Duration,
        live: Option<LiveStream>,
    ) -> Self {
        let mut world = World::new(log, name, 1, false).await;
        world.store.takes = takes;
        world.fill(0, RECORDS, RECORDS).await;
        log.reset(GROUP, &world.topic(), &[(0, RECORDS)]).await.unwrap();
        let draft = Draft::new(world.topic(), Bound::Earliest, Bound::Latest, "ann@desk");
        let draft = Draft { share, rate, chunk: 5_000, ..draft };
        let job = world.backfills().create(&draft).await.unwrap();
        let settings = BackfillSettings { live, ..world.settings("w") };
        let cut = Cut::at(log, u64::MAX, false);
        let worker = world.start_over(Arc::new(cut.clone()), settings, 1, Options::default());
        Self { world, log: cut, job, worker, committed: RECORDS }
    }

    /// So many half seconds pass, in each of which 50 records arrive and so many are committed; what the job does meanwhile.
    async fn pass(&mut self, half_seconds: u64, commits: u64) -> u64 {
        let before = self.world.show(&self.job.id).await.done;
        for _ in 0..half_seconds {
            self.world.fill(0, 50, 50).await;
            self.committed += commits;
            let place = [(0, self.committed)];
            self.world.log.reset(GROUP, &self.world.topic(), &place).await.unwrap();
            tokio::time::sleep(HALF_A_SECOND).await;
        }
        self.world.show(&self.job.id).await.done - before
    }

    async fn close(self) {
        self.worker.stopper().stop();
        assert_eq!(self.worker.wait().await.exit_code(), 0);
    }
}

fn live() -> Option<LiveStream> {
    behind(Duration::from_secs(2))
}

fn behind(behind: Duration) -> Option<LiveStream> {
    Some(LiveStream { group: GROUP.into(), behind })
}

#[tokio::test(start_paused = true)]
async fn a_backfill_rests_while_the_live_stream_is_behind_and_goes_on_when_it_is_not() {
    let (_dir, log) = open();
    let mut scene = Scene::open(&log, "first", live()).await;
    assert!(scene.pass(20, 50).await > 700, "beside a stream that is not behind it has its rate");
    // It falls behind by 40 records each half second, and is 2 s behind after some three.
    scene.pass(12, 10).await;
    let rests = scene.pass(100, 10).await;
    assert!((1..=200).contains(&rests), "a run every 30 s, of 100 at most, but that: {rests}");
    // All at once, and again as fast as they arrive.
    let missing = 40 * (12 + 100);
    scene.pass(1, 50 + missing).await;
    scene.pass(3, 50).await;
    assert!(scene.pass(20, 50).await > 700, "it goes on");
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_is_waited_for_ten_seconds() {
    let (_dir, log) = open();
    let mut scene = Scene::open(&log, "paused", live()).await;
    scene.pass(20, 50).await;
    scene.pass(24, 0).await;
    assert!(scene.pass(20, 0).await > 700, "there is nobody to make way for");
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_live_stream_it_rests_for_none() {
    let (_dir, log) = open();
    let mut scene = Scene::open(&log, "none", None).await;
    scene.pass(32, 10).await;
    assert!(scene.pass(40, 10).await > 1_500);
    scene.close().await;
}

/// A job that rests for a second before each record: looks 50 ms apart are made in the 200 ms before it goes.
#[tokio::test(start_paused = true)]
async fn nobody_looks_at_the_live_stream_before_it_matters() {
    let (_dir, log) = open();
    let mut scene = Scene::with_rate(&log, "rarely", 1, behind(Duration::from_millis(100))).await;
    scene.pass(10, 50).await;
    let asked = |scene: &Scene| scene.log.asked.load(Ordering::Relaxed);
    let before = asked(&scene);
    let done = scene.pass(20, 50).await;
    assert!((9..=11).contains(&done), "one a second, told within a second: {done}");
    let looks = asked(&scene) - before;
    assert!((10 * 3..=10 * 6).contains(&looks), "{looks} looks in 10 s");
    scene.pass(8, 10).await;
    assert!(scene.pass(100, 10).await <= 2, "it rests all the same, for 30 s at a time");
    scene.pass(1, 50 + 40 * (8 + 100)).await;
    scene.pass(3, 50).await;
    assert!(scene.pass(20, 50).await >= 9, "and goes on");
    scene.close().await;
}

/// Looks that take ten times as long as the stream may be behind, before runs that are nine seconds apart: they are begun so
/// much sooner.
#[tokio::test(start_paused = true)]
async fn slow_looks_are_begun_in_time() {
    let (_dir, log) = open();
    let bound = behind(Duration::from_millis(100));
    let mut scene = Scene::with(&log, "slowly", (0.01, None), Duration::from_millis(15), bound).await;
    scene.log.tells_after_ms.store(1_000, Ordering::Relaxed);
    // Exactly, and at once; what the job says of itself comes later.
    let stored = |scene: &Scene| scene.world.store.stored.lock().unwrap().len();
    scene.pass(60, 50).await;
    let (mut before, mut rested) = (stored(&scene), 0);
    while stored(&scene) == before {
        scene.pass(1, 50).await;
        rested += 1;
        assert!(rested < 25, "a run goes every nine seconds");
    }
    // That run is over by then. The stream falls behind while the job rests.
    scene.pass(1, 50).await;
    before = stored(&scene);
    scene.pass(45, 10).await;
    assert_eq!(stored(&scene), before, "the next run does not go before somebody has looked");
    scene.pass(25, 10).await;
    assert!(stored(&scene) > before, "a job never stands still");
    scene.close().await;
}
