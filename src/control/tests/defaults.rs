//! Positions of the configuration, which hold while no operator has set a switch.

use super::*;

impl Stage {
    /// A worker whose configuration has the switch `rows` in this position.
    async fn worker_at(&self, worker: &str, mode: Mode) -> Control {
        let positions = [("rows".to_owned(), mode)].into();
        self.worker_with(ControlSettings { positions, ..self.settings(worker) }).await
    }

    /// What the operator is told that `rows` is, is by default, and is at each worker.
    async fn told(&self) -> (String, String, Vec<String>) {
        let state = self.operator().state().await.unwrap().remove(0);
        (state.value, state.default, state.workers.into_iter().map(|worker| worker.value).collect())
    }
}

fn told(value: &str, default: &str, workers: &[&str]) -> (String, String, Vec<String>) {
    (value.to_owned(), default.to_owned(), workers.iter().map(|&value| value.to_owned()).collect())
}

#[tokio::test(start_paused = true)]
async fn it_holds_until_a_change_and_again_after_one_that_ends() {
    let stage = Stage::open().await;
    let control = stage.worker_at("one", Mode::Auto).await;
    let switch = control.switch("rows");
    assert_eq!((switch.mode(), control.switch("other").mode()), (Mode::Auto, Mode::Off));
    stage.settle().await;
    let of_rows = stage.operator().plan(&rows(), "on", "ann", "", Some(MINUTE)).await.unwrap();
    assert_eq!((of_rows.before.as_str(), of_rows.default.as_str(), of_rows.change.then), ("auto", "auto", None));

    // A second one for a time does not make a literal of it either.
    stage.turn("on", Some(MINUTE)).await;
    stage.turn("off", Some(MINUTE)).await;
    assert_eq!(switch.mode(), Mode::Off);
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(switch.mode(), Mode::Auto);
    let state = stage.operator().state().await.unwrap().into_iter().find(|state| state.key == rows()).unwrap();
    assert_eq!((state.value.as_str(), state.workers[0].value.as_str()), ("auto", "auto"));

    stage.turn("off", None).await;
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(switch.mode(), Mode::Off, "what an operator sets for good stays");
    stage.append("switch/rows", None).await;
    until_mode(&switch, Mode::Auto).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_starts_with_the_log_away_has_it_after_a_change_that_ended() {
    let stage = Stage::open().await;
    let control = stage.worker_at("one", Mode::On).await;
    control.switch("rows");
    stage.turn("off", Some(MINUTE)).await;
    drop(control);
    stage.broker.away(true);
    let control = stage.worker_at("one", Mode::On).await;
    let switch = control.switch("rows");
    assert_eq!(switch.mode(), Mode::Off, "the file says so");
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(switch.mode(), Mode::On);
}

#[tokio::test(start_paused = true)]
async fn the_worker_that_started_last_says_what_it_is_and_the_others_are_told_apart() {
    let stage = Stage::open().await;
    let one = stage.worker_at("one", Mode::Auto).await;
    one.switch("rows");
    stage.settle().await;
    assert_eq!(stage.told().await, told("auto", "auto", &["auto"]));
    let two = stage.worker_at("two", Mode::Off).await;
    two.switch("rows");
    stage.settle().await;
    assert_eq!(stage.told().await, told("off", "off", &["auto", "off"]));
    stage.turn("on", None).await;
    assert_eq!(stage.told().await, told("on", "off", &["on", "on"]));
    two.close().await;
    assert_eq!(stage.told().await, told("on", "auto", &["on"]));
}
