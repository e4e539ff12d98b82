//! Records that are none.

use super::*;

#[tokio::test(start_paused = true)]
async fn garbage_changes_nothing_and_stops_nothing() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let switch = control.switch("rows");
    stage.turn("on", None).await;
    let garbage = [
        ("switch/rows", Some("")),
        ("switch/rows", Some("{")),
        ("switch/rows", Some("\u{0}")),
        ("switch/rows", Some("\"off\"")),
        ("switch/rows", Some(r#"{"value":"sideways"}"#)),
        ("switch/rows", Some(r#"{"value":"off","expires_ms":"soon"}"#)),
        ("switch/rows", Some(r#"{"value":"off","expires_ms":1,"then":"sideways"}"#)),
        ("switch/", Some(r#"{"value":"off"}"#)),
        ("switch", Some(r#"{"value":"off"}"#)),
        ("", Some(r#"{"value":"off"}"#)),
        ("limit/rows", Some("7")),
        ("limit/rows", None),
        ("seek/1", Some("{}")),
        ("switch/other", Some(r#"{"value":"on"}"#)),
    ];
    for (key, value) in garbage {
        stage.append(key, value).await;
    }
    tokio::time::sleep(MINUTE).await;
    assert_eq!(switch.mode(), Mode::On);
    let state = stage.operator().state().await.unwrap();
    let values: Vec<_> = state.iter().map(|state| (state.key.to_string(), state.value.clone())).collect();
    assert_eq!(values, [("switch/other".into(), "on".into()), ("switch/rows".into(), "on".into())]);

    // A record by hand needs no more than a value, and may have more than is known.
    stage.append("switch/rows", Some(r#"{"value":"auto","colour":"red"}"#)).await;
    until_mode(&switch, Mode::Auto).await;
    let late = stage.worker("late").await;
    assert_eq!((late.switch("rows").mode(), late.switch("other").mode()), (Mode::Auto, Mode::On));
}

#[tokio::test(start_paused = true)]
async fn garbage_among_the_workers_is_passed_over() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    control.switch("rows");
    let workers = Names::of(TOPOLOGY).workers;
    let garbage = [
        ("nobody", None),
        ("nobody/switch/rows", None),
        ("nobody/switch/rows", Some(r#"{"offset":0,"value":"on","applied_ms":1}"#)),
        ("one/switch/rows", Some("{")),
        ("one/limit/rows", Some(r#"{"offset":0,"value":"on","applied_ms":1}"#)),
        ("one/switch/other", Some(r#"{"offset":0,"value":"on","applied_ms":1}"#)),
        ("two", Some("{}")),
        ("", Some("x")),
        ("/", None),
    ];
    for (key, value) in garbage {
        stage.append_to(&workers, key, value).await;
    }
    stage.turn("on", None).await;
    let known = stage.operator().workers().await.unwrap();
    assert_eq!(known.iter().map(|worker| worker.worker.as_str()).collect::<Vec<_>>(), ["one"]);
    assert_eq!(known[0].heartbeat.switches[0].value, "on");
}
