//! Servers that go away, come back, or were never there.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use super::super::super::EmbeddedBroker;
use super::super::{RemoteBroker, RemoteSettings, socket};
use super::{DEADLINE, append, assigned, connect, fixture, is_gone, read_all, serve, shared};
use crate::broker::embedded::EmbeddedSettings;
use crate::broker::{Broker, BrokerError, Commit, Consumer, ConsumerEvent, Cursor, GroupSettings};

async fn found(dir: &std::path::Path) -> Option<RemoteBroker> {
    RemoteBroker::connect(dir, RemoteSettings::default()).await.unwrap()
}

/// The owner closes the log while a client waits for records: the directory is free at once, the client is told, and
/// goes on where it was when the log is served again.
#[tokio::test]
async fn a_server_gone_in_the_middle_of_a_fetch_frees_the_directory_and_is_named() {
    for sync in [true, false] {
        let settings = EmbeddedSettings { sync, ..shared() };
        let (dir, log, remote) = fixture(1, &settings).await;
        append(&remote, &["0", "1"]).await.unwrap();
        let mut cursor = remote.cursor("t", &[(0, 0)]).unwrap();
        assert_eq!(cursor.fetch(10, DEADLINE).await.unwrap().unwrap().next, 2);
        let mut member = remote.subscribe("t", &GroupSettings::new("g")).unwrap();
        assert!(matches!(member.poll(1).await.unwrap(), ConsumerEvent::Assigned(_)));

        let fetching = tokio::spawn(async move {
            let error = cursor.fetch(10, DEADLINE).await.unwrap_err();
            (cursor, error)
        });
        tokio::task::yield_now().await;
        drop(log);
        let (mut cursor, error) = fetching.await.unwrap();
        is_gone(&error, dir.path());
        is_gone(&remote.topics().await.unwrap_err(), dir.path());
        is_gone(&append(&remote, &["lost"]).await.unwrap_err(), dir.path());
        is_gone(&cursor.fetch(10, DEADLINE).await.unwrap_err(), dir.path());

        let log = serve(dir.path(), &settings);
        append(&remote, &["2"]).await.unwrap();
        let fetched = cursor.fetch(10, DEADLINE).await.unwrap().unwrap();
        assert_eq!((fetched.records[0].origin.offset, fetched.next), (2, 3), "it goes on where it was");
        assert_eq!(read_all(&log).await, ["0", "1", "2"]);
        rejoins(&mut *member).await;
    }
}

/// A member whose server came back has lost its partitions, and gets them again with a greater epoch.
async fn rejoins(member: &mut dyn Consumer) {
    member.commit(&[Commit::clean(0, 1)]).expect("nothing is known of it yet");
    let mut events = Vec::new();
    while events.len() < 3 {
        events.push(member.poll(1).await.unwrap());
        if events.len() == 1 {
            member.commit(&[Commit::clean(0, 1)]).expect("what is lost is left out");
        }
    }
    assert_eq!(events[0], ConsumerEvent::Lost(vec![0]));
    match &events[1] {
        ConsumerEvent::Assigned(grants) => {
            assert!(grants[0].epoch > 1 && grants[0].next == 0, "a greater epoch, no commit: {grants:?}");
        }
        other => panic!("not an assignment: {other:?}"),
    }
    match &events[2] {
        ConsumerEvent::Records(fetched) => assert!(fetched.epoch > 1 && fetched.records.len() == 1),
        other => panic!("not records: {other:?}"),
    }
    member.close(&[Commit::clean(0, 1)]).await.unwrap();
    assert!(matches!(member.poll(1).await, Err(BrokerError::Closed { .. })));
}

#[tokio::test]
async fn a_stale_socket_is_taken_away_and_a_log_that_is_not_shared_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    assert!(found(dir.path()).await.is_none(), "there is no socket");
    let path = socket::path(dir.path());
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(found(dir.path()).await.is_none(), "nobody listens");
    let log = serve(dir.path(), &EmbeddedSettings::for_tests());
    assert!(found(dir.path()).await.is_none(), "it is open, and not shared");
    drop(log);
    let log = serve(dir.path(), &shared());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(found(dir.path()).await.is_some());
    drop(log);
    assert!(!path.exists(), "nothing is left of it");
}

#[tokio::test]
async fn a_file_of_that_name_is_not_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket::path(dir.path());
    std::fs::write(&path, "mine").unwrap();
    let error = EmbeddedBroker::open(dir.path(), shared()).err().unwrap();
    assert!(
        matches!(&error, BrokerError::Io { context, .. } if context.contains("no socket") && context.contains("share = false")),
        "{error:?}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    serve(dir.path(), &EmbeddedSettings::for_tests());
}

/// The second does not touch the socket of the first.
#[tokio::test]
async fn a_second_server_is_refused_and_the_first_goes_on() {
    let (dir, _log, remote) = fixture(1, &shared()).await;
    let error = EmbeddedBroker::open(dir.path(), shared()).err().unwrap();
    assert!(matches!(error, BrokerError::Locked { .. }), "{error:?}");
    append(&remote, &["x"]).await.unwrap();
    append(&connect(dir.path()).await, &["y"]).await.unwrap();
    assert_eq!(read_all(&remote).await, ["x", "y"]);
}

/// Serving ends with the last clone of the broker, whatever of the log the owner still holds.
#[tokio::test]
async fn serving_ends_with_the_last_clone_of_the_broker() {
    let (dir, log, remote) = fixture(1, &shared()).await;
    let clone = log.clone();
    let producer = log.producer().unwrap();
    drop(log);
    append(&remote, &["x"]).await.unwrap();
    drop(clone);
    is_gone(&remote.topics().await.unwrap_err(), dir.path());
    producer.append("t", vec![super::record("y")]).await.unwrap();
    let error = EmbeddedBroker::open(dir.path(), shared()).err().unwrap();
    assert!(matches!(error, BrokerError::Locked { .. }), "{error:?}");
    drop(producer);
    assert_eq!(read_all(&serve(dir.path(), &shared())).await, ["x", "y"]);
}

#[tokio::test]
async fn a_directory_with_a_long_name_is_shared_too() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("n".repeat(120));
    let log = serve(&long, &shared());
    log.create_topic(&crate::broker::TopicSpec::new("t", 1)).await.unwrap();
    append(&connect(&long).await, &["x"]).await.unwrap();
    assert_eq!(read_all(&log).await, ["x"]);
    drop(log);
    assert!(!socket::path(&long).exists());
}

/// What was idle for long is closed; who asks again notices nothing, but for a member, which is told.
#[tokio::test]
async fn an_idle_connection_is_closed_and_the_next_call_has_another() {
    let settings = EmbeddedSettings { share_idle_timeout: Duration::from_secs(1), ..shared() };
    let (_dir, log, remote) = fixture(1, &settings).await;
    append(&remote, &["0", "1"]).await.unwrap();
    let mut cursor: Box<dyn Cursor> = remote.cursor("t", &[(0, 0)]).unwrap();
    assert_eq!(cursor.fetch(1, DEADLINE).await.unwrap().unwrap().next, 1);
    let mut member = remote.subscribe("t", &GroupSettings::new("g")).unwrap();
    assert!(matches!(member.poll(1).await.unwrap(), ConsumerEvent::Assigned(_)));
    super::until("an empty group", async || !log.core.shared.groups.is_active("g")).await;
    assert_eq!(cursor.fetch(1, DEADLINE).await.unwrap().unwrap().next, 2);
    append(&remote, &["2"]).await.unwrap();
    assert_eq!(member.poll(1).await.unwrap(), ConsumerEvent::Lost(vec![0]));
    assert_eq!(member.poll(1).await.unwrap(), assigned(&[(0, 2, 0)]));
}
