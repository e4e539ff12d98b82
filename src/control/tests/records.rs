//! Keys, changes and names by themselves.

use super::*;
use crate::broker::{BrokerError, TopicSpec};
use crate::control::Change;

#[test]
fn a_change_is_its_value_until_it_expires() {
    let change = Change::decode(&rows(), br#"{"value":"on","expires_ms":100}"#).unwrap();
    assert_eq!([change.effective(99), change.effective(100)], [Some("on"), None]);
    assert_eq!(change.lasting(), None);
    let then = Change { then: Some("auto".into()), ..change };
    assert_eq!([then.effective(99), then.effective(101)], [Some("on"), Some("auto")]);
    let lasts = Change { expires_ms: None, ..then };
    assert_eq!([lasts.effective(i64::MAX), lasts.lasting()], [Some("on"), Some("on")]);
    assert_eq!(Change::decode(&rows(), &lasts.encode()).unwrap(), lasts);
    let spout = Key::Spout("lines".into());
    let paused = Change::decode(&spout, br#"{"value":"paused","expires_ms":1}"#).unwrap();
    assert_eq!(paused.effective(1), None);
}

#[test]
fn keys_are_read_as_they_are_written() {
    for text in ["switch/rows", "spout/lines", "switch/rows/shard-1", "limit/query.ip"] {
        assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
    }
    for text in ["", "switch", "switch/", "/rows", "limit/", "Switch/rows"] {
        assert!(text.parse::<Key>().is_err(), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn topics_are_created_once_and_checked() {
    let stage = Stage::open().await;
    ensure(&*stage.broker, TOPOLOGY, 1).await.unwrap();
    let topics: Vec<_> = stage.broker.topics().await.unwrap().into_iter().map(|topic| topic.name).collect();
    let names = ["audit", "backfill", "control", "letters", "workers"];
    assert_eq!(topics, names.map(|name| format!("squall.words.{name}")));
    stage.broker.create_topic(&TopicSpec::new("squall.other.control", 2)).await.unwrap();
    let error = ensure(&*stage.broker, "other", 1).await.unwrap_err();
    assert!(matches!(error, BrokerError::TopicMismatch { actual: 2, wanted: 1, .. }), "{error}");
}
