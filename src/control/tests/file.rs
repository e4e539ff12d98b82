//! The last-known-good file.

use super::*;
use crate::control::file::LastKnown;
use crate::control::shared::Shared;
use crate::control::state::{Entry, State};
use crate::control::{Change, Names};

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

/// A state in which `rows` was changed by the record before `next`.
fn state(next: u64, json: &str) -> State {
    let entry = Entry { offset: Some(next - 1), change: Change::decode(&rows(), json.as_bytes()).unwrap() };
    State { entries: [(rows(), entry)].into(), next, ..State::default() }
}

#[test]
fn a_later_state_is_not_replaced_by_an_earlier_one_unless_the_log_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let file = LastKnown::new(dir.path(), TOPOLOGY);
    let (early, late) = (state(3, r#"{"value":"on"}"#), state(7, r#"{"value":"auto"}"#));
    let write = |state: &State, anew| {
        file.write(state, anew).unwrap();
        file.read().unwrap()
    };
    assert_eq!(write(&late, false), late);
    assert_eq!(write(&early, false), late, "another worker of the same folder is slower");
    assert_eq!(write(&early, true), early);
    assert_eq!(write(&late, false), late);
    std::fs::write(dir.path().join(FILE), "{").unwrap();
    assert_eq!(write(&early, false), early, "what is of no use is replaced");
}

#[tokio::test(start_paused = true)]
async fn it_follows_a_log_that_begins_anew() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    control.switch("rows");
    for value in ["on", "off", "auto"] {
        stage.turn(value, None).await;
    }
    stage.broker.delete_topic(&Names::of(TOPOLOGY).control).await.unwrap();
    ensure(&*stage.broker, TOPOLOGY, 1).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    stage.turn("on", None).await;
    let kept = LastKnown::new(&stage.data_dir("one"), TOPOLOGY).read().unwrap();
    assert_eq!((kept.next, kept.entries[&rows()].change.value.as_str()), (1, "on"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_before_it_was_offered_to_the_file() {
    let stage = Stage::open().await;
    let shared = Shared::new(stage.broker.clone(), TOPOLOGY, stage.settings("one"));
    let switch = shared.switch("rows");
    let told = || {
        let records = shared.records(&shared.take_report(false)).into_iter();
        records.filter_map(|record| record.value).map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    assert_eq!(told().count(), 1, "the heartbeat of a start");
    let until = BEGAN_MS + 1_000;
    shared.apply(state(1, &format!(r#"{{"value":"on","expires_ms":{until}}}"#)));
    shared.turn();
    assert_eq!((switch.mode(), told().count()), (Mode::On, 0));
    // The disk is slow, and what was wanted is over meanwhile: that happens, and is not told yet.
    tokio::time::sleep(Duration::from_secs(2)).await;
    shared.turn();
    assert_eq!((switch.mode(), told().count()), (Mode::Off, 0));
    shared.stored();
    let told: Vec<_> = told().collect();
    assert!(told.len() == 1 && told[0].contains(r#""offset":0,"value":"off""#), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_kill_left_unfinished_is_removed_at_the_next_start() {
    let stage = Stage::open().await;
    let dir = stage.data_dir("one");
    for name in [".control-a1B2c3.tmp", ".control-.tmp", ".other.tmp", "control.json.damaged"] {
        std::fs::write(dir.join(name), "{").unwrap();
    }
    let other = std::fs::File::open(&dir).unwrap();
    other.lock().unwrap();
    LastKnown::new(&dir, TOPOLOGY).clean();
    assert!(dir.join(".control-.tmp").exists(), "another worker writes");
    LastKnown::new(&dir, TOPOLOGY).write(&State::default(), false).unwrap();
    assert!(dir.join(FILE).exists(), "one that writes for ever is not waited for");
    drop(other);
    let _control = stage.worker("one").await;
    let names = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, [".other.tmp", "control.json", "control.json.damaged"]);
}
