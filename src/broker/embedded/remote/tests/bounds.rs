//! As many as the settings say, and not one more.

use super::super::{RemoteBroker, RemoteSettings};
use super::{DEADLINE, append, connect, fixture, is_gone, shared, until};
use crate::broker::Broker;
use crate::broker::embedded::EmbeddedSettings;

#[tokio::test]
async fn one_connection_too_many_is_refused_by_name_and_room_comes_back() {
    let settings = EmbeddedSettings { share_connections: 3, ..shared() };
    let (dir, _log, first) = fixture(1, &settings).await;
    append(&first, &["x"]).await.unwrap();
    let mut cursor = first.cursor("t", &[(0, 0)]).unwrap();
    cursor.fetch(1, DEADLINE).await.unwrap();
    let second = connect(dir.path()).await;

    let error = RemoteBroker::connect(dir.path(), RemoteSettings::default()).await.err().unwrap();
    is_gone(&error, dir.path());
    assert!(
        error
            .to_string()
            .contains("all 3 connections are taken; try again, or raise broker.embedded.share_connections"),
        "{error}"
    );
    let mut refused = second.cursor("t", &[(0, 0)]).unwrap();
    is_gone(&refused.fetch(1, DEADLINE).await.unwrap_err(), dir.path());
    append(&second, &["who is in goes on"]).await.unwrap();

    drop(cursor);
    until("room", async || refused.fetch(1, DEADLINE).await.is_ok()).await;
}

/// A client's calls share its connections, whatever their number.
#[tokio::test]
async fn many_calls_at_once_take_no_more_connections_than_the_client_may_have() {
    let settings = EmbeddedSettings { share_connections: 2, ..shared() };
    let (dir, log, _one) = fixture(1, &settings).await;
    drop(_one);
    let two = RemoteSettings { connections: 1, ..RemoteSettings::default() };
    let mut remote = None;
    until("a connection", async || {
        remote = RemoteBroker::connect(dir.path(), two.clone()).await.ok().flatten();
        remote.is_some()
    })
    .await;
    let remote = remote.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..40 {
        let remote = remote.clone();
        calls.spawn(async move { append(&remote, &[&n.to_string()]).await.unwrap() });
    }
    calls.join_all().await;
    assert_eq!(log.bounds("t").await.unwrap()[0].latest, 40);
}
