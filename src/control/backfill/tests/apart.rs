//! How the tasks of all workers begin at a job.

use std::sync::Arc;
use std::time::Duration;

use super::cut::{Cut, Opened};
use super::world::{World, open};
use crate::broker::embedded::EmbeddedBroker;
use crate::control::backfill::{Bound, Draft};
use crate::runtime::Options;

const TASKS: u32 = 4;
const WORKERS: [&str; 2] = ["v", "w"];
const SECOND: Duration = Duration::from_secs(1);

/// What two workers open that take up a job with this share, of a chunk for each of their tasks: they do so in the moment in
/// which their first run goes.
async fn begun(log: &Arc<EmbeddedBroker>, name: &str, share: f64) -> Vec<Opened> {
    let world = World::new(log, name, TASKS, false).await;
    for partition in 0..TASKS {
        world.fill(partition, 100, 100).await;
    }
    let draft = Draft::new(world.topic(), Bound::Earliest, Bound::Latest, "ann@desk");
    let job = world.backfills().create(&Draft { share, ..draft }).await.unwrap();
    let log = Cut::at(log, u64::MAX, false);
    let tasks = TASKS as usize / WORKERS.len();
    let start = |name| world.start_over(Arc::new(log.clone()), world.settings(name), tasks, Options::default());
    let workers = WORKERS.map(start);
    world.until_over(&job.id).await;
    for worker in workers {
        worker.stopper().stop();
        assert_eq!(worker.wait().await.exit_code(), 0);
    }
    log.opened(&world.topic())
}

/// How long after the one before each was opened.
fn gaps(opened: &[Opened]) -> Vec<Duration> {
    opened.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_slow_job_begin_apart_and_fetch_a_little_ahead() {
    let (_dir, log) = open();
    let slow = begun(&log, "slow", 0.01).await;
    let ahead: Vec<_> = slow.iter().map(|opened| opened.ahead).collect();
    assert_eq!(ahead, [Some(1024); TASKS as usize]);
    let gaps = gaps(&slow);
    assert!(gaps.iter().all(|gap| *gap >= SECOND / 20), "no two go together: {gaps:?}");
    assert!(gaps.iter().sum::<Duration>() <= SECOND, "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_job_in_a_hurry_begin_at_once_and_fetch_what_they_can() {
    let (_dir, log) = open();
    let hurried = begun(&log, "hurried", 1.0).await;
    let ahead: Vec<_> = hurried.iter().map(|opened| opened.ahead).collect();
    assert_eq!(ahead, [None; TASKS as usize]);
    let gaps = gaps(&hurried);
    assert!(gaps.iter().all(|gap| *gap < SECOND / 20), "{gaps:?}");
}
