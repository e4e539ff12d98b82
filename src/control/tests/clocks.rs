//! Workers whose clocks are wrong, and are set right.

use std::cell::Cell;

use super::*;
use crate::control::state::State;

thread_local! {
    /// The time of the test, and how far the worker's clock is ahead of it. A test has a thread of its own.
    static WRONG: Cell<Option<(Clock, i64)>> = const { Cell::new(None) };
}

fn wrong_ms() -> i64 {
    WRONG.get().map_or(0, |(clock, ahead_ms)| clock.unix_ms() + ahead_ms)
}

impl Stage {
    fn set_wrong(&self, ahead: Duration) {
        WRONG.set(Some((self.clock, ahead.as_millis() as i64)));
    }

    /// A worker whose clock is so far ahead.
    async fn worker_ahead(&self, worker: &str, ahead: Duration) -> Control {
        self.set_wrong(ahead);
        self.worker_with(ControlSettings { clock: Clock::reading(wrong_ms), ..self.settings(worker) }).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_for_which_the_time_is_over_has_not_applied_it() {
    let stage = Stage::open().await;
    let (one, two) = (stage.worker("one").await, stage.worker_ahead("two", MINUTE * 40).await);
    one.switch("rows");
    let switch = two.switch("rows");
    stage.settle().await;
    let operator = stage.operator();
    let changed = operator.change(&rows(), "on", "ann", "", Some(MINUTE * 30)).await.unwrap();
    let answers = operator.await_applied(&changed, Duration::from_secs(5)).await.unwrap();
    assert!(!answers.all_applied() && switch.mode() == Mode::Off, "{answers:?}");
    let missing: Vec<_> =
        answers.missing().map(|answer| (answer.worker.as_str(), answer.instead.as_deref())).collect();
    assert_eq!(missing, [("two", Some("off"))]);
    assert_eq!(answers.applied().map(|answer| answer.worker.as_str()).collect::<Vec<_>>(), ["one"]);

    // A later change that does not expire is one that it has.
    operator.change(&rows(), "on", "ann", "", None).await.unwrap();
    assert!(operator.await_applied(&changed, MINUTE).await.unwrap().all_applied());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_counts_at_once() {
    let stage = Stage::open().await;
    let control = stage.worker_ahead("one", MINUTE * 40).await;
    let switch = control.switch("rows");
    stage.settle().await;
    let operator = stage.operator();
    let changed = operator.change(&rows(), "on", "ann", "", Some(MINUTE * 30)).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    assert_eq!(switch.mode(), Mode::Off);
    stage.set_wrong(Duration::ZERO);
    assert!(operator.await_applied(&changed, MINUTE).await.unwrap().all_applied());
    assert_eq!(switch.mode(), Mode::On);
    // As after a suspension: the time is over although timers stood still.
    stage.set_wrong(MINUTE * 30);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(switch.mode(), Mode::Off);
}

#[tokio::test(start_paused = true)]
async fn what_lasts_but_a_moment_was_applied_all_the_same() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    control.switch("rows");
    stage.settle().await;
    let operator = stage.operator();
    let changed = operator.change(&rows(), "on", "ann", "", Some(Duration::from_secs(1))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let answers = operator.await_applied(&changed, MINUTE).await.unwrap();
    assert_eq!((answers.applied().count(), answers.missing().count()), (1, 0));
}

#[test]
fn the_time_of_new_changes_is_compared_with_the_clock() {
    let mut state = State::default();
    let record = |offset: u64, json: &str| crate::broker::LogRecord {
        origin: crate::topology::Origin { topic: "control".into(), partition: 0, offset, attempt: 0 },
        key: Some(format!("switch/{offset}").into()),
        headers: Default::default(),
        timestamp_ms: 0,
        value: Some(json.to_owned().into()),
    };
    state.note(&record(0, r#"{"value":"on","when_ms":1000}"#)).unwrap();
    state.note(&record(1, r#"{"value":"on"}"#)).unwrap();
    assert_eq!((state.skew(0, 1_400), state.skew(1, 1_400)), (Some((&Key::Switch("0".into()), -400)), None));
    state.note(&record(2, r#"{"value":"on","when_ms":9000}"#)).unwrap();
    assert_eq!(state.skew(0, 1_000), Some((&Key::Switch("2".into()), 8_000)));
}
