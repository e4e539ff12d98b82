//! The last-known-good file.

use super::*;

const FILE: &str = "control.json";

#[tokio::test(start_paused = true)]
async fn it_follows_every_change() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    control.switch("rows");
    for value in ["on", "off", "auto"] {
        stage.turn(value, None).await;
        let text = std::fs::read_to_string(stage.data_dir("one").join(FILE)).unwrap();
        let content: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(content["entries"]["switch/rows"]["value"], value, "{text}");
    }
    let files: Vec<_> = std::fs::read_dir(stage.data_dir("one")).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_one_is_set_aside_and_the_log_is_followed() {
    for damage in ["", "{\"version\":1", "\0\0\0", "[]", "{\"version\":1,\"topology\":\"words\"}"] {
        let stage = Stage::open().await;
        let dir = stage.data_dir("one");
        std::fs::write(dir.join(FILE), damage).unwrap();
        stage.broker.away(true);
        let control = stage.worker("one").await;
        let switch = control.switch("rows");
        assert_eq!(switch.mode(), Mode::Off);
        assert_eq!(std::fs::read_to_string(dir.join("control.json.damaged")).unwrap(), damage);
        stage.broker.away(false);
        stage.append("switch/rows", Some(r#"{"value":"on"}"#)).await;
        until_mode(&switch, Mode::On).await;
        until("written again", || dir.join(FILE).exists()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn that_of_another_topology_is_left_alone() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    control.switch("rows");
    stage.turn("on", None).await;
    control.close().await;
    stage.broker.away(true);
    let other = Control::start(stage.broker.clone(), "other", stage.settings("one")).await;
    assert_eq!(other.switch("rows").mode(), Mode::Off);
    assert!(stage.data_dir("one").join(FILE).exists());
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_takes_nothing_is_a_warning() {
    let stage = Stage::open().await;
    let data_dir = stage.dir.path().join("gone");
    let control = stage.worker_with(ControlSettings { data_dir: data_dir.clone(), ..stage.settings("one") }).await;
    let switch = control.switch("rows");
    for (value, mode) in [("on", Mode::On), ("off", Mode::Off)] {
        stage.turn(value, None).await;
        assert_eq!(switch.mode(), mode);
    }
    // It is written as soon as there is room.
    std::fs::create_dir(&data_dir).unwrap();
    stage.turn("auto", None).await;
    assert!(data_dir.join(FILE).exists());
}
