//! How the tasks of a worker begin at a job.

use std::sync::Arc;
use std::time::Duration;

use super::cut::{Cut, Opened};
use super::world::{World, open};
use crate::broker::embedded::EmbeddedBroker;
use crate::control::backfill::{Bound, Draft};
use crate::runtime::Options;

const TASKS: u32 = 4;
const SECOND: Duration = Duration::from_secs(1);

/// What a worker opens that takes up a job with this share, of a chunk for each of its tasks: they do so in the moment in
/// which their first run goes.
async fn begun(log: &Arc<EmbeddedBroker>, name: &str, share: f64) -> Vec<Opened> {
    let world = World::new(log, name, TASKS, false).await;
    for partition in 0..TASKS {
        world.fill(partition, 100, 100).await;
    }
    let draft = Draft::new(world.topic(), Bound::Earliest, Bound::Latest, "ann@desk");
    let job = world.backfills().create(&Draft { share, ..draft }).await.unwrap();
    let log = Cut::at(log, u64::MAX, false);
    let worker = world.start_over(Arc::new(log.clone()), world.settings("w"), TASKS as usize, Options::default());
    world.until_over(&job.id).await;
    worker.stopper().stop();
    assert_eq!(worker.wait().await.exit_code(), 0);
    log.opened(&world.topic())
}

fn spread(opened: &[Opened]) -> Duration {
    let at = || opened.iter().map(|opened| opened.at);
    at().max().unwrap() - at().min().unwrap()
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_slow_job_begin_apart_and_fetch_a_little_ahead() {
    let (_dir, log) = open();
    let slow = begun(&log, "slow", 0.01).await;
    let ahead: Vec<_> = slow.iter().map(|opened| opened.ahead).collect();
    assert_eq!(ahead, [Some(1024); TASKS as usize]);
    let apart = spread(&slow);
    assert!((SECOND / 4..=SECOND).contains(&apart), "{apart:?}");
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_job_in_a_hurry_begin_at_once_and_fetch_what_they_can() {
    let (_dir, log) = open();
    let hurried = begun(&log, "hurried", 1.0).await;
    let ahead: Vec<_> = hurried.iter().map(|opened| opened.ahead).collect();
    assert_eq!(ahead, [None; TASKS as usize]);
    let apart = spread(&hurried);
    assert!(apart < SECOND / 4, "{apart:?}");
}
