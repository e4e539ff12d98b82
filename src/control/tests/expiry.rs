//! Changes end by themselves.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_switch_comes_back_by_itself_to_what_it_was_for_good() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let switch = control.switch("rows");
    stage.turn("auto", None).await;
    stage.turn("on", Some(MINUTE * 30)).await;
    // A second one for a time does not make the first last.
    stage.turn("off", Some(MINUTE * 30)).await;
    tokio::time::sleep(MINUTE * 29).await;
    assert_eq!(switch.mode(), Mode::Off);
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(switch.mode(), Mode::Auto);
    let state = &stage.operator().state().await.unwrap()[0];
    assert_eq!((state.value.as_str(), state.workers[0].value.as_str()), ("auto", "auto"));
}

#[tokio::test(start_paused = true)]
async fn without_an_earlier_change_it_comes_back_to_the_default() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let (switch, running) = (control.switch("rows"), control.spout("lines"));
    stage.turn("on", Some(MINUTE)).await;
    let key = Key::Spout("lines".into());
    stage.operator().change(&key, "paused", "ann", "", Some(MINUTE)).await.unwrap();
    running.until(false).await;
    running.until(true).await;
    until_mode(&switch, Mode::Off).await;
    assert!(stage.clock.unix_ms() >= BEGAN_MS + 60_000);
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_with_the_log_away() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let switch = control.switch("rows");
    stage.turn("on", Some(MINUTE * 30)).await;
    stage.broker.away(true);
    tokio::time::sleep(MINUTE * 29).await;
    assert_eq!(switch.mode(), Mode::On);
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(switch.mode(), Mode::Off);
}

#[tokio::test(start_paused = true)]
async fn a_change_by_hand_meanwhile_ends_the_expiry() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let switch = control.switch("rows");
    for (value, mode) in [("on", Mode::On), ("auto", Mode::Auto)] {
        stage.turn("on", Some(MINUTE * 30)).await;
        tokio::time::sleep(MINUTE * 10).await;
        stage.turn(value, None).await;
        tokio::time::sleep(MINUTE * 60).await;
        assert_eq!(switch.mode(), mode);
    }
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_passed_while_nobody_ran_has_passed() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    stage.turn("on", Some(MINUTE)).await;
    control.close().await;
    tokio::time::sleep(MINUTE * 2).await;
    stage.broker.away(true);
    let control = stage.worker("one").await;
    assert_eq!(control.switch("rows").mode(), Mode::Off);
}
