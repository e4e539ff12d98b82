//! The owner and its guests at work at the same time.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::{DEADLINE, append, connect, fixture, read_all, record, serve, shared, until};
use crate::broker::embedded::EmbeddedSettings;
use crate::broker::{Append, Broker, BrokerError, TopicSpec};

const CHILD: &str = "SQUALL_TEST_REMOTE_CLIENT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_and_the_owner_write_and_read_one_log() {
    let settings = EmbeddedSettings { sync: true, ..shared() };
    let (dir, log, first) = fixture(1, &settings).await;
    let second = connect(dir.path()).await;
    let brokers: [(&str, Arc<dyn Broker>); 3] =
        [("owner", Arc::new(log)), ("first", Arc::new(first)), ("second", Arc::new(second))];
    let mut writers = tokio::task::JoinSet::new();
    for (name, broker) in brokers.clone() {
        writers.spawn(async move {
            for n in 0..50 {
                append(&*broker, &[&format!("{name}/{n}/a"), &format!("{name}/{n}/b")]).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let read = read_all(&*brokers[0].1).await;
    assert_eq!(read.len(), 300);
    assert_eq!(read.iter().collect::<BTreeSet<_>>().len(), 300, "each once");
    for (name, broker) in &brokers {
        assert_eq!(read_all(&**broker).await, read, "all read the same");
        let own: Vec<_> = read.iter().filter(|value| value.starts_with(name)).collect();
        let order: Vec<_> = (0..50).flat_map(|n| ["a", "b"].map(|part| format!("{name}/{n}/{part}"))).collect();
        assert_eq!(own, order.iter().collect::<Vec<_>>(), "in the order in which they were appended");
    }
}

/// A child that appends through the socket is killed: what it was told is there, in whole calls, and all that it had
/// is free.
#[test]
fn a_client_killed_in_the_middle_of_an_append_leaves_whole_calls_and_no_trace() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return child(Path::new(&dir));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // Room for one client at a time: its one connection for appends.
        let settings = EmbeddedSettings { sync: true, share_connections: 1, ..shared() };
        let dir = tempfile::tempdir().unwrap();
        let log = serve(dir.path(), &settings);
        log.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
        let mut acknowledged = 0;
        for round in 0..3 {
            let path = dir.path().to_owned();
            acknowledged += tokio::task::spawn_blocking(move || run_child(&path, 30 + round * 17)).await.unwrap();
        }
        let read = read_all(&log).await;
        assert_eq!(read.len() % 7, 0, "a half call");
        assert!(read.len() >= acknowledged * 7, "{} records of {acknowledged} calls", read.len());
        for call in read.chunks(7) {
            let call: Vec<_> = call.iter().map(|value| value.split('/').collect::<Vec<_>>()).collect();
            assert!(call.iter().enumerate().all(|(n, parts)| parts[0] == call[0][0] && parts[1] == n.to_string()));
        }
        until("room for another client", async || {
            super::RemoteBroker::connect(dir.path(), super::RemoteSettings::default()).await.is_ok()
        })
        .await;
    });
}

/// A call larger than a frame goes in parts, in order; many topics come in pages.
#[tokio::test]
async fn what_does_not_fit_into_a_frame_goes_in_parts() {
    let (_dir, log, remote) = fixture(1, &shared()).await;
    let values: Vec<String> = (0..6).map(|n| format!("{n}").repeat(900 * 1024)).collect();
    let records = values.iter().map(|value| record(value.clone())).collect();
    let positions = remote.producer().unwrap().append("t", records).await.unwrap();
    assert_eq!(positions.iter().map(|p| p.offset).collect::<Vec<_>>(), (0..6).collect::<Vec<u64>>());
    assert!(read_all(&remote).await == values);

    let huge = Append { value: Some(vec![0; 1024 * 1024 + 1].into()), ..Append::default() };
    let error = remote.producer().unwrap().append("t", vec![record("first"), huge]).await.unwrap_err();
    assert!(matches!(error, BrokerError::TooLarge { limit: 1_048_576, .. }), "{error:?}");
    assert_eq!(log.bounds("t").await.unwrap()[0].latest, 6, "nothing of the call was appended");
    // Headers without a byte weigh nothing, and take room all the same.
    let mut hollow = record("x");
    (0..2_000_000).for_each(|_| hollow.headers.push("", bytes::Bytes::new()));
    let error = remote.producer().unwrap().append("t", vec![hollow.clone()]).await.unwrap_err();
    assert!(matches!(error, BrokerError::TooLarge { .. }), "{error:?}");
    append(&remote, &["still works"]).await.unwrap();

    // What only the owner can append cannot be fetched through the socket, which says so, and does not end there.
    log.producer().unwrap().append("t", vec![hollow]).await.unwrap();
    let mut cursor = remote.cursor("t", &[(0, 7)]).unwrap();
    let error = cursor.fetch(1, DEADLINE).await.unwrap_err();
    assert!(matches!(error, BrokerError::TooLarge { .. }), "{error:?}");
    append(&remote, &["after"]).await.unwrap();
    cursor.seek(0, 8).unwrap();
    assert_eq!(cursor.fetch(1, DEADLINE).await.unwrap().unwrap().next, 9);

    for n in 0..1001 {
        log.create_topic(&TopicSpec::new(format!("many-{n:04}"), 1)).await.unwrap();
    }
    let topics = remote.topics().await.unwrap();
    assert_eq!(topics, log.topics().await.unwrap());
    assert_eq!(topics.len(), 1002);
}

#[tokio::main(flavor = "current_thread")]
async fn child(dir: &Path) {
    // The one before may not have been noticed to be gone.
    let mut remote = None;
    until("a connection", async || {
        remote = super::RemoteBroker::connect(dir, super::RemoteSettings::default()).await.ok().flatten();
        remote.is_some()
    })
    .await;
    let producer = remote.unwrap().producer().unwrap();
    for call in 0_u64.. {
        let records = (0..7).map(|n| record(format!("{}-{call}/{n}", std::process::id()))).collect();
        producer.append("t", records).await.unwrap();
        let mut out = std::io::stdout().lock();
        out.write_all(b"acknowledged\n").and_then(|()| out.flush()).unwrap();
    }
}

/// How many calls were acknowledged to a child before it was killed.
fn run_child(dir: &Path, calls: usize) -> usize {
    let name = "broker::embedded::remote::tests::together::\
                a_client_killed_in_the_middle_of_an_append_leaves_whole_calls_and_no_trace";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        said += usize::from(line.unwrap() == "acknowledged");
        if said == calls {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(said >= calls, "the child ended by itself after {said} calls");
    said
}
