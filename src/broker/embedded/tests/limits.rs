//! Bounds: one process, one size, one wait; what a failed disk leaves.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::{EmbeddedBroker, EmbeddedSettings};
use super::{append, open, read_all, record};
use crate::broker::{Append, Broker, BrokerError, Cleanup, Commit, GroupSettings, TopicSpec};
use crate::topology::Headers;

const CHILD: &str = "SQUALL_TEST_EMBEDDED_LOCK";

#[test]
fn a_directory_belongs_to_one_process() {
    if let Some(dir) = std::env::var_os(CHILD) {
        let _broker = open(Path::new(&dir), true);
        writeln!(std::io::stdout(), "holding").unwrap();
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "broker::embedded::tests::limits::a_directory_belongs_to_one_process", "--nocapture"])
        .env(CHILD, dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map(|l| l.unwrap()).any(|line| line.contains("holding")), "the child holds the directory");
    let error = EmbeddedBroker::open(dir.path(), EmbeddedSettings::for_tests()).err().unwrap();
    assert!(matches!(&error, BrokerError::Locked { path } if path == dir.path()), "{error:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    open(dir.path(), true);
}

#[tokio::test]
async fn a_directory_is_free_when_the_last_handle_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path(), true);
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let cursor = broker.cursor("t", &[(0, 0)]).unwrap();
    drop(broker);
    let error = EmbeddedBroker::open(dir.path(), EmbeddedSettings::for_tests()).err().unwrap();
    assert!(matches!(error, BrokerError::Locked { .. }), "{error:?}");
    drop(cursor);
    open(dir.path(), true);
}

#[tokio::test]
async fn the_size_of_a_record_is_bounded_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings { max_record_bytes: 100, ..EmbeddedSettings::for_tests() };
    let broker = EmbeddedBroker::open(dir.path(), settings).unwrap();
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let of = |value: usize| Append {
        key: Some(vec![0; 10].into()),
        value: Some(vec![0; value].into()),
        headers: Headers::default().with("name", vec![0; 6]),
        ..Append::default()
    };
    append(&broker, "t", vec![of(80)]).await;
    let error = broker.producer().unwrap().append("t", vec![of(1), of(81)]).await.unwrap_err();
    assert!(matches!(error, BrokerError::TooLarge { size: 101, limit: 100 }), "{error:?}");
    assert_eq!(read_all(&broker, "t").await.len(), 1, "nothing of the call was appended");
}

#[tokio::test]
async fn a_fetch_is_bounded_by_bytes_and_goes_on_inside_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings { fetch_max_bytes: 1000, ..EmbeddedSettings::for_tests() };
    let broker = EmbeddedBroker::open(dir.path(), settings).unwrap();
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    append(&broker, "t", (0..50).map(|n| record(format!("{n:0>400}"))).collect()).await;
    let mut cursor = broker.cursor("t", &[(0, 0)]).unwrap();
    let mut offsets = Vec::new();
    while let Some(fetched) = cursor.fetch(100, Duration::ZERO).await.unwrap() {
        assert!(fetched.records.len() <= 3);
        offsets.extend(fetched.records.iter().map(|r| r.origin.offset));
    }
    assert_eq!(offsets, (0..50).collect::<Vec<u64>>());
}

#[tokio::test]
async fn an_append_waits_for_room_no_longer_than_the_delivery_timeout() {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings {
        sync: true,
        delivery_timeout: Duration::from_millis(500),
        ..EmbeddedSettings::for_tests()
    };
    let broker = EmbeddedBroker::open(dir.path(), settings).unwrap();
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let full = broker.core.writer.fill().await;
    let error = broker.producer().unwrap().append("t", vec![record("x")]).await.unwrap_err();
    assert!(matches!(error, BrokerError::Timeout { after_ms: 500, .. }), "{error:?}");
    drop(full);
    assert!(read_all(&broker, "t").await.is_empty(), "what found no room was not appended");
}

#[tokio::test]
async fn an_append_larger_than_the_queue_passes_alone() {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings { sync: true, queue_bytes: 1, ..EmbeddedSettings::for_tests() };
    let broker = EmbeddedBroker::open(dir.path(), settings).unwrap();
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    append(&broker, "t", vec![record("x".repeat(100_000)); 3]).await;
    assert_eq!(read_all(&broker, "t").await.len(), 3);
}

#[tokio::test]
async fn after_a_full_disk_nothing_is_acknowledged_and_reading_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    {
        let broker = open(dir.path(), true);
        broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
        append(&broker, "t", vec![record("before")]).await;
        broker.core.shared.fail(&fjall::Error::Io(std::io::ErrorKind::StorageFull.into()));
        let is_full = |error: BrokerError| assert!(matches!(error, BrokerError::DiskFull { .. }), "{error:?}");
        is_full(broker.producer().unwrap().append("t", vec![record("after")]).await.unwrap_err());
        is_full(broker.reset("g", "t", &[(0, 1)]).await.unwrap_err());
        is_full(broker.create_topic(&TopicSpec::new("u", 1)).await.unwrap_err());
        is_full(broker.delete_before("t", 0, 1).await.unwrap_err());
        let mut consumer = broker.subscribe("t", &GroupSettings::new("g")).unwrap();
        consumer.poll(1).await.unwrap();
        is_full(consumer.release(&[Commit::clean(0, 1)]).await.unwrap_err());
        assert_eq!(read_all(&broker, "t").await.len(), 1, "reading goes on");
    }
    let broker = open(dir.path(), true);
    assert_eq!(append(&broker, "t", vec![record("again")]).await[0].offset, 1);
}

#[tokio::test]
async fn what_no_log_takes_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path(), false);
    broker.create_topic(&TopicSpec::new("compacted", 1).compacted()).await.unwrap();
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let invalid = |error: BrokerError| assert!(matches!(error, BrokerError::Invalid { .. }), "{error:?}");
    invalid(broker.producer().unwrap().append("compacted", vec![record("no key")]).await.unwrap_err());
    invalid(broker.create_topic(&TopicSpec::new("none", 0)).await.unwrap_err());
    invalid(broker.create_topic(&TopicSpec::new("..", 1)).await.unwrap_err());
    invalid(broker.subscribe("t", &GroupSettings::new("")).err().unwrap());
    invalid(broker.compact("t").await.unwrap_err());
    let mut spec = TopicSpec::new("limits", 1);
    spec.cleanup = Cleanup::Delete { retention: Some(Duration::MAX), max_bytes: Some(u64::MAX) };
    broker.create_topic(&spec).await.unwrap();
    append(&broker, "limits", vec![record("x")]).await;
    broker.run_upkeep().await.unwrap();
    assert_eq!(read_all(&broker, "limits").await.len(), 1);
    let mut ahead = broker.cursor("t", &[(0, 5)]).unwrap();
    let error = ahead.fetch(1, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, BrokerError::OutOfRange { offset: 5, earliest: 0, latest: 0, .. }), "{error:?}");
}
