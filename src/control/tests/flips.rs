//! Changes reach every worker.

use tokio::time::advance;

use super::*;
use crate::broker::Gap;
use crate::control::{AuditRecord, ControlError};

#[tokio::test(start_paused = true)]
async fn a_flip_reaches_every_worker_and_each_says_so() {
    let stage = Stage::open().await;
    let mut workers = Vec::new();
    for name in ["one", "two", "three"] {
        let control = stage.worker(name).await;
        let switch = control.switch("rows");
        workers.push((control, switch));
    }
    let other = stage.worker("other").await;
    let timelines = other.switch("timelines");
    stage.settle().await;

    let operator = stage.operator();
    let changed = operator.change(&rows(), "on", "ann@desk", "upgrade", None).await.unwrap();
    assert_eq!((changed.before.as_str(), changed.offset), ("off", 0));
    let answers = operator.await_applied(&changed, MINUTE).await.unwrap();
    let names: Vec<_> = answers.applied().map(|answer| answer.worker.as_str()).collect();
    assert_eq!(names, ["one", "three", "two"]);
    assert!(answers.all_applied() && answers.took().is_some());
    assert!(workers.iter().all(|(_, switch)| switch.mode() == Mode::On));
    assert_eq!(timelines.mode(), Mode::Off);

    let state = operator.state().await.unwrap();
    let of = |key: Key| state.iter().find(|state| state.key == key).unwrap().clone();
    let on = of(rows());
    assert_eq!((on.value.as_str(), on.offset), ("on", Some(0)));
    assert_eq!(on.change.unwrap().reason, "upgrade");
    assert!(on.workers.iter().all(|worker| worker.live && worker.value == "on" && worker.offset == Some(0)));
    assert_eq!(on.workers.len(), 3);
    assert_eq!(of(Key::Switch("timelines".into())).workers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_value_wins_and_late_comers_see_only_it() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let switch = control.switch("rows");
    stage.settle().await;
    let operator = stage.operator();
    let mut last = None;
    for value in ["on", "off", "on", "off", "auto"] {
        last = Some(operator.change(&rows(), value, "ann", "", None).await.unwrap());
    }
    assert!(operator.await_applied(&last.unwrap(), MINUTE).await.unwrap().all_applied());
    assert_eq!(switch.mode(), Mode::Auto);

    let late = stage.worker("late").await;
    assert_eq!(late.switch("rows").mode(), Mode::Auto);
    assert_eq!(late.switch("timelines").mode(), Mode::Off);
}

#[tokio::test(start_paused = true)]
async fn a_switch_does_not_flap_through_its_history() {
    let stage = Stage::open().await;
    for value in ["off", "auto", "off", "on"] {
        stage.turn(value, None).await;
    }
    stage.worker("one").await.close().await;
    // Starts on, by its file, and reads a history that ends with on, record by record.
    stage.broker.away(true);
    let control = stage.worker_with(ControlSettings { fetch: 1, ..stage.settings("one") }).await;
    let mut switch = control.switch("rows");
    assert_eq!(switch.mode(), Mode::On);
    stage.broker.away(false);
    tokio::select! {
        mode = switch.changed() => panic!("it was turned to {mode}"),
        () = tokio::time::sleep(MINUTE) => assert_eq!(switch.mode(), Mode::On),
    }
}

#[tokio::test(start_paused = true)]
async fn a_spout_is_paused_and_resumed() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let (running, operator) = (control.spout("lines"), stage.operator());
    assert!(running.is_running());
    stage.settle().await;
    let key = Key::Spout("lines".into());
    for (value, runs) in [("paused", false), ("running", true)] {
        let changed = operator.change(&key, value, "ann", "", None).await.unwrap();
        running.until(runs).await;
        assert!(operator.await_applied(&changed, MINUTE).await.unwrap().all_applied());
        assert_eq!(control.spout("lines").is_paused(), !runs);
    }
}

#[tokio::test(start_paused = true)]
async fn taking_the_record_back_is_the_default_again() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let switch = control.switch("rows");
    stage.turn("on", None).await;
    stage.append("switch/rows", None).await;
    until_mode(&switch, Mode::Off).await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_value_and_an_unknown_topology_are_refused_without_a_trace() {
    let stage = Stage::bare();
    let operator = stage.operator();
    let error = operator.change(&rows(), "sideways", "ann", "", None).await.unwrap_err();
    assert_eq!(error.to_string(), "`sideways` is no value of switch/rows; it is on, off or auto");
    let error = operator.change(&rows(), "on", "ann", "", None).await.unwrap_err();
    assert!(matches!(error, ControlError::NoTopics { .. }), "{error}");
    assert!(operator.state().await.unwrap().is_empty() && operator.workers().await.unwrap().is_empty());
    assert_eq!(operator.audit(10).await.unwrap(), []);
    assert!(stage.broker.topics().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_change_is_in_the_audit_oldest_first() {
    let stage = Stage::open().await;
    for value in ["on", "off", "auto"] {
        advance(MINUTE).await;
        stage.turn(value, (value == "on").then_some(MINUTE * 5)).await;
    }
    let audit = stage.operator().audit(2).await.unwrap();
    let values: Vec<_> =
        audit.iter().map(|record| (&record.details["before"], &record.details["value"])).collect();
    assert_eq!(values, [(&"on".into(), &"off".into()), (&"off".into(), &"auto".into())]);
    let all = stage.operator().audit(100).await.unwrap();
    let AuditRecord { when_ms, who, action, target, reason, details } = &all[0];
    assert_eq!((who.as_str(), action.as_str(), target.as_str()), ("ann@desk", "set", "switch/rows"));
    assert_eq!((reason.as_str(), *when_ms), ("test", BEGAN_MS + 60_100));
    assert_eq!(details["expires_ms"], BEGAN_MS + 360_100);
    assert_eq!(all.len(), 3);
    let lost = |from| AuditRecord::lost("views", 3, Gap { from, to: 9 }, "reader", BEGAN_MS);
    for from in [1, 2, 3] {
        stage.operator().record(&lost(from)).await.unwrap();
        stage.turn("off", None).await;
    }
    assert_eq!(stage.operator().audit_of("lost", 2).await.unwrap(), [lost(2), lost(3)]);
    assert_eq!(stage.operator().audit_of("found", 2).await.unwrap(), []);
}
