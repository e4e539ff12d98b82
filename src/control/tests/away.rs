//! The log goes away and comes back.

use std::sync::atomic::Ordering;

use super::*;

#[tokio::test(start_paused = true)]
async fn switches_survive_a_restart_of_everything_with_the_log_away() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    control.switch("rows");
    stage.turn("on", None).await;
    drop(control);
    stage.broker.away(true);

    let control = stage.worker("one").await;
    let switch = control.switch("rows");
    assert_eq!(switch.mode(), Mode::On);
    tokio::time::sleep(MINUTE * 10).await;
    assert_eq!(switch.mode(), Mode::On);
    assert!(stage.broker.failed.load(Ordering::SeqCst) > 100, "nobody tried");

    // What was changed elsewhere meanwhile comes with the log.
    stage.broker.away(false);
    stage.append("switch/rows", Some(r#"{"value":"auto"}"#)).await;
    until_mode(&switch, Mode::Auto).await;
}

#[tokio::test(start_paused = true)]
async fn following_and_reporting_go_on_after_an_outage() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let switch = control.switch("rows");
    stage.turn("on", None).await;
    for mode in ["off", "auto", "on"] {
        stage.broker.away(true);
        tokio::time::sleep(MINUTE).await;
        stage.broker.away(false);
        stage.turn(mode, None).await;
        tokio::time::sleep(MINUTE / 10).await;
        assert_eq!(switch.mode().to_string(), mode);
        assert!(stage.operator().workers().await.unwrap()[0].live);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_waits_for_topics_that_do_not_exist_yet() {
    let stage = Stage::bare();
    let control = stage.worker("one").await;
    let switch = control.switch("rows");
    ensure(&*stage.broker, TOPOLOGY, 1).await.unwrap();
    let operator = stage.operator();
    operator.change(&rows(), "on", "ann", "", None).await.unwrap();
    until_mode(&switch, Mode::On).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_begins_anew_leaves_what_it_does_not_say() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let (switch, timelines) = (control.switch("rows"), control.switch("timelines"));
    stage.turn("on", None).await;
    let key = Key::Switch("timelines".into());
    stage.operator().change(&key, "on", "ann", "", None).await.unwrap();
    until_mode(&timelines, Mode::On).await;
    stage.broker.delete_topic(&Names::of(TOPOLOGY).control).await.unwrap();
    ensure(&*stage.broker, TOPOLOGY, 1).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    assert_eq!((switch.mode(), timelines.mode()), (Mode::On, Mode::On));

    // A worker of the old log does not take its old change for the new one.
    stage.turn("off", None).await;
    assert_eq!((switch.mode(), timelines.mode()), (Mode::Off, Mode::On));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_or_hangs_does_not_keep_a_worker_from_closing() {
    let stage = Stage::open().await;
    let (control, other) = (stage.worker("one").await, stage.worker("two").await);
    stage.broker.away(true);
    control.close().await;
    control.clone().close().await;
    stage.broker.hang();
    other.close().await;
    assert_eq!(other.switch("rows").mode(), Mode::Off);
    assert!(stage.clock.unix_ms() < BEGAN_MS + 60_000, "it waited for the log");
}
