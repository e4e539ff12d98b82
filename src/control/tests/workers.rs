//! Who runs, and who does not any more.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_worker_that_closes_leaves_the_roster_and_is_not_waited_for() {
    let stage = Stage::open().await;
    let (one, two) = (stage.worker("one").await, stage.worker("a/b").await);
    one.switch("rows");
    two.switch("rows");
    tokio::time::sleep(MINUTE).await;
    let names = |workers: Vec<crate::control::Worker>| -> Vec<(String, bool)> {
        workers.into_iter().map(|worker| (worker.worker, worker.live)).collect()
    };
    let both = [("a-b".to_owned(), true), ("one".to_owned(), true)];
    assert_eq!(names(stage.operator().workers().await.unwrap()), both);
    two.close().await;
    assert_eq!(names(stage.operator().workers().await.unwrap()), both[1..]);
    stage.turn("on", None).await;
    one.close().await;
    assert_eq!(stage.operator().workers().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_is_missed_while_it_may_live_and_named_afterwards() {
    let stage = Stage::open().await;
    let (one, two) = (stage.worker("one").await, stage.worker("two").await);
    one.switch("rows");
    two.switch("rows");
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(two);
    let operator = stage.operator();
    let changed = operator.change(&rows(), "on", "ann", "", None).await.unwrap();
    let answers = operator.await_applied(&changed, Duration::from_secs(1)).await.unwrap();
    assert_eq!(answers.missing().map(|answer| answer.worker.as_str()).collect::<Vec<_>>(), ["two"]);
    assert_eq!(answers.applied().count(), 1);
    // Three intervals of its heartbeat later it is not waited for any more.
    let answers = operator.await_applied(&changed, MINUTE).await.unwrap();
    assert!(answers.all_applied());
    assert!(stage.clock.unix_ms() < BEGAN_MS + 30_000, "the whole time was waited");
    let two = answers.0.iter().find(|answer| answer.worker == "two").unwrap();
    assert!(!two.live && two.after.is_none());
    tokio::time::sleep(MINUTE * 6).await;
    let workers = operator.workers().await.unwrap();
    assert_eq!(workers.iter().map(|worker| worker.worker.as_str()).collect::<Vec<_>>(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_says_what_the_worker_is_and_has() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    control.switch("rows");
    control.spout("lines");
    stage.turn("on", None).await;
    tokio::time::sleep(MINUTE).await;
    let worker = &stage.operator().workers().await.unwrap()[0];
    let heartbeat = &worker.heartbeat;
    assert_eq!((heartbeat.role.as_str(), heartbeat.pid), ("worker", std::process::id()));
    assert_eq!(heartbeat.started_ms, BEGAN_MS);
    assert!(heartbeat.beat_ms > BEGAN_MS + 58_000 && worker.live);
    assert_eq!((heartbeat.switches[0].value.as_str(), heartbeat.switches[0].offset), ("on", Some(0)));
    assert_eq!((heartbeat.spouts[0].name.as_str(), heartbeat.spouts[0].offset), ("lines", None));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_comes_late_has_the_value_at_once_and_answers() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let operator = stage.operator();
    let changed = operator.change(&rows(), "on", "ann", "", None).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    assert_eq!(control.switch("rows").mode(), Mode::On);
    stage.settle().await;
    let state = &operator.state().await.unwrap()[0];
    assert_eq!(state.offset, Some(changed.offset));
    assert_eq!((state.workers[0].value.as_str(), state.workers[0].offset), ("on", state.offset));
}
