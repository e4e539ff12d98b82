//! Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{FromRedisValue, RedisResult};
use squall::store::timeline::redis::{RedisSettings, RedisTimelines};
use squall::store::timeline::{Entry, Limits, TimelineSink, Timelines};
use squall::testing::servers::{Redis, RedisOptions};
use squall::testing::{Fault, FaultProxy};
use squall::{Class, Classify, Sink};

use super::{DEADLINE, failed, poisoned, stored, write};

/// A tuple: owner, line, id.
type Visit = (&'static str, &'static str, &'static str);

const ONE: [Visit; 1] = [("u", "l", "i")];

fn entry(&(owner, line, id): &Visit) -> Entry<'_> {
    Entry { owner, line, action: "a", id, at_ms: 1, body: b"body" }
}

fn settings(url: &str) -> RedisSettings {
    RedisSettings { prefix: "p".into(), response_timeout: Duration::from_secs(2), ..RedisSettings::new(url) }
}

fn open(settings: RedisSettings) -> (Arc<RedisTimelines>, impl Sink<In = Visit>) {
    let store = Arc::new(RedisTimelines::lazy(settings, Limits::default()).unwrap());
    (Arc::clone(&store), TimelineSink::new(store, entry))
}

async fn own(options: RedisOptions) -> Redis {
    Redis::start_own(options).await.unwrap()
}

async fn ask<T: FromRedisValue>(server: &Redis, words: &[&str]) -> RedisResult<T> {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut connection).await
}

async fn tell(server: &Redis, words: &[&str]) {
    ask::<()>(server, words).await.unwrap();
}

async fn ids(store: &RedisTimelines, owner: &str, line: &str) -> Vec<String> {
    store.timeline(owner, Some(line), 99).await.unwrap().into_iter().map(|entry| entry.id).collect()
}

#[tokio::test]
async fn a_key_of_another_type_is_poison_for_its_rows_only() {
    let server = own(RedisOptions::default()).await;
    let (store, mut sink) = open(settings(server.url()));
    // The ids of one timeline, the profile and so everything of one owner, and fields that no script can read.
    tell(&server, &["SET", "p:{one}:t:broken", "mine"]).await;
    tell(&server, &["RPUSH", "p:{all}", "mine"]).await;
    tell(&server, &["HSET", "p:{odd}", "lfine", "not two numbers"]).await;
    let rows = [
        ("good", "broken", "1"),
        ("one", "fine", "2"),
        ("one", "broken", "3"),
        ("all", "fine", "4"),
        ("one", "later", "5"),
        ("one", "broken", "3"),
        ("", "no owner", "6"),
        ("odd", "fine", "7"),
        ("zoe", "fine", "8"),
        ("one", "broken", "9"),
    ];
    for _ in 0..2 {
        assert_eq!(poisoned(&mut sink, &rows).await, [2, 3, 5, 6, 7, 9]);
    }
    let reason = write(&mut sink, &rows[2..3]).await.unwrap().into_iter().next().unwrap().1.to_string();
    assert!(reason.contains("WRONGTYPE") && reason.contains("remove the key"), "{reason}");
    for (owner, line, id) in [rows[0], rows[1], rows[4], rows[8]] {
        assert_eq!(ids(&store, owner, line).await, [id]);
    }
    assert_eq!(store.timeline("one", Some("broken"), 9).await.unwrap_err().class(), Class::Poison);
    assert_eq!(store.profile("all").await.unwrap_err().class(), Class::Poison);

    tell(&server, &["DEL", "p:{one}:t:broken", "p:{all}", "p:{odd}"]).await;
    assert_eq!(poisoned(&mut sink, &rows).await, [6]);
    assert_eq!(ids(&store, "one", "broken").await, ["9", "3"]);
}

async fn behind_a_proxy() -> (Redis, FaultProxy) {
    let server = own(RedisOptions::default()).await;
    let proxy = FaultProxy::start(server.socket_address().unwrap());
    (server, proxy)
}

/// One connection through the proxy, on which a call may take 300 ms.
fn over(proxy: &FaultProxy, server: &Redis) -> RedisSettings {
    let url = proxy.reroute(server.url());
    RedisSettings { response_timeout: Duration::from_millis(300), connections: 1, ..settings(&url) }
}

/// What was between has forgotten the connection and drops what it does not know, or the server was cut from its power: no
/// caller waits as long as a call may take, and nobody says that the connection is gone.
#[tokio::test]
async fn a_connection_that_only_owes_answers_is_replaced_though_its_callers_never_wait_for_long() {
    let (server, proxy) = behind_a_proxy().await;
    let (store, mut sink) = open(over(&proxy, &server));
    stored(&mut sink, &ONE).await;
    proxy.set(Fault::BlackHole);
    let ask = || tokio::time::timeout(Duration::from_millis(50), store.timeline("u", None, 9));
    ask().await.unwrap_err();
    proxy.set(Fault::None);
    let end = Instant::now() + DEADLINE;
    while ask().await.is_err() {
        assert!(Instant::now() < end, "the connection is asked for ever");
    }
}

#[tokio::test]
async fn a_failing_server_comes_before_a_wrong_key() {
    let server = own(RedisOptions::default()).await;
    let (store, mut sink) = open(settings(server.url()));
    tell(&server, &["SET", "p:{a}", "mine"]).await;
    let rows = [("a", "l", "1"), ("b", "l", "2")];
    assert_eq!(poisoned(&mut sink, &rows).await, [0]);
    tell(&server, &["REPLICAOF", "127.0.0.1", "1"]).await;
    failed(&mut sink, &rows, Class::Retryable, "READONLY").await;
    tell(&server, &["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(poisoned(&mut sink, &rows).await, [0]);
    assert_eq!(ids(&store, "b", "l").await, ["2"]);
}

#[tokio::test]
async fn a_full_a_read_only_and_a_cut_off_server_are_retryable() {
    let server = own(RedisOptions::default()).await;
    let (_, mut sink) = open(settings(server.url()));
    stored(&mut sink, &ONE).await;
    tell(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    failed(&mut sink, &ONE, Class::Retryable, "OOM").await;
    tell(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
    stored(&mut sink, &ONE).await;

    tell(&server, &["REPLICAOF", "127.0.0.1", "1"]).await;
    failed(&mut sink, &ONE, Class::Retryable, "READONLY").await;
    tell(&server, &["CONFIG", "SET", "replica-serve-stale-data", "no"]).await;
    failed(&mut sink, &ONE, Class::Retryable, "MASTERDOWN").await;
    tell(&server, &["REPLICAOF", "NO", "ONE"]).await;
    stored(&mut sink, &ONE).await;

    tell(&server, &["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    failed(&mut sink, &ONE, Class::Retryable, "NOREPLICAS").await;
    tell(&server, &["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    stored(&mut sink, &ONE).await;
}

#[tokio::test]
async fn a_server_that_cannot_save_is_retryable() {
    let server = own(RedisOptions::default()).await;
    let (_, mut sink) = open(settings(server.url()));
    stored(&mut sink, &ONE).await;
    // The place of the snapshot is taken by a folder that is not empty.
    let folder: Vec<String> = ask(&server, &["CONFIG", "GET", "dir"]).await.unwrap();
    std::fs::create_dir_all(std::path::Path::new(&folder[1]).join("dump.rdb/full")).unwrap();
    tell(&server, &["CONFIG", "SET", "save", "3600 1"]).await;
    tell(&server, &["BGSAVE"]).await;
    let deadline = Instant::now() + DEADLINE;
    while !ask::<String>(&server, &["INFO", "persistence"]).await.unwrap().contains("bgsave_status:err") {
        assert!(Instant::now() < deadline, "the snapshot must fail");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    failed(&mut sink, &ONE, Class::Retryable, "MISCONF").await;
    tell(&server, &["CONFIG", "SET", "save", ""]).await;
    stored(&mut sink, &ONE).await;
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_retryable() {
    // 1 ms for each key, answering others in between.
    let arguments = ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"];
    let arguments = arguments.map(String::from).into();
    let mut server = own(RedisOptions { arguments, ..RedisOptions::default() }).await;
    let (_, mut sink) = open(RedisSettings { backoff_max: Duration::from_millis(20), ..settings(server.url()) });
    stored(&mut sink, &ONE).await;
    let fill = "for n = 1, 2000 do redis.call('SET', 'k' .. n, string.rep('x', 200)) end";
    tell(&server, &["EVAL", fill, "0"]).await;
    tell(&server, &["SAVE"]).await;
    server.kill().unwrap();
    let mut back = std::pin::pin!(server.restart());
    let mut said = Vec::new();
    loop {
        tokio::select! {
            result = &mut back => break result.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(10)) => {
                if let Err(error) = write(&mut sink, &ONE).await {
                    assert_eq!(error.class(), Class::Retryable, "{error:?}");
                    said.push(error.to_string());
                }
            }
        }
    }
    assert!(said.iter().any(|error| error.contains("LOADING")), "{said:?}");
    stored(&mut sink, &ONE).await;
}

#[tokio::test]
async fn a_node_that_has_not_got_the_key_is_retryable() {
    let cluster = RedisOptions { cluster: true, ..RedisOptions::default() };
    let (server, other) = (own(cluster.clone()).await, own(cluster).await);
    let (_, mut sink) = open(settings(server.url()));
    failed(&mut sink, &ONE, Class::Retryable, "CLUSTERDOWN").await;

    let slot: u32 = ask(&server, &["CLUSTER", "KEYSLOT", "p:{u}"]).await.unwrap();
    let bus: Vec<String> = ask(&other, &["CONFIG", "GET", "cluster-port"]).await.unwrap();
    let port = other.socket_address().unwrap().port().to_string();
    tell(&other, &["CLUSTER", "ADDSLOTS", &slot.to_string()]).await;
    if slot > 0 {
        tell(&server, &["CLUSTER", "ADDSLOTSRANGE", "0", &(slot - 1).to_string()]).await;
    }
    if slot < 16_383 {
        tell(&server, &["CLUSTER", "ADDSLOTSRANGE", &(slot + 1).to_string(), "16383"]).await;
    }
    tell(&server, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus[1]]).await;
    let deadline = Instant::now() + DEADLINE;
    loop {
        let error = write(&mut sink, &ONE).await.unwrap_err();
        assert_eq!(error.class(), Class::Retryable, "{error:?}");
        if error.to_string().contains("MOVED") {
            break;
        }
        assert!(Instant::now() < deadline, "the nodes must meet: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_or_is_busy_goes_on() {
    let server = own(RedisOptions::default()).await;
    let (store, mut sink) = open(settings(server.url()));
    stored(&mut sink, &ONE).await;
    tell(&server, &["SET", "p:{a}", "mine"]).await;
    tell(&server, &["SCRIPT", "FLUSH"]).await;
    let rows = [("a", "l", "1"), ("b", "l", "2")];
    assert_eq!(poisoned(&mut sink, &rows).await, [0]);
    assert_eq!(ids(&store, "b", "l").await, ["2"]);

    tell(&server, &["CONFIG", "SET", "busy-reply-threshold", "10"]).await;
    let url = server.url().to_owned();
    let hog = tokio::spawn(async move {
        let client = redis::Client::open(url).unwrap();
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        redis::cmd("EVAL").arg("while true do end").arg(0).query_async::<()>(&mut connection).await
    });
    let deadline = Instant::now() + DEADLINE;
    loop {
        let error = write(&mut sink, &ONE).await;
        if error.is_err_and(|error| error.class() == Class::Retryable && error.to_string().contains("BUSY")) {
            break;
        }
        assert!(Instant::now() < deadline, "the server must be busy");
    }
    tell(&server, &["SCRIPT", "KILL"]).await;
    assert!(hog.await.unwrap().is_err());
    stored(&mut sink, &ONE).await;
}

#[tokio::test]
async fn silence_is_a_time_out_and_a_lost_reply_is_written_again() {
    let (server, proxy) = behind_a_proxy().await;
    let (store, mut sink) = open(over(&proxy, &server));
    stored(&mut sink, &ONE).await;
    tell(&server, &["CLIENT", "PAUSE", "1000", "WRITE"]).await;
    failed(&mut sink, &ONE, Class::Retryable, "took longer than 300 ms").await;
    stored(&mut sink, &ONE).await;

    proxy.set(Fault::BlackHole);
    failed(&mut sink, &[("u", "l", "j")], Class::Retryable, "took longer than").await;
    proxy.set(Fault::None);
    stored(&mut sink, &ONE).await;
    assert_eq!(ids(&store, "u", "l").await, ["i"]);

    proxy.set(Fault::DropReplies);
    failed(&mut sink, &[("u", "l", "k")], Class::Retryable, "took longer than 300 ms").await;
    proxy.set(Fault::None);
    let deadline = Instant::now() + DEADLINE;
    while !matches!(store.timeline("u", None, 9).await, Ok(all) if all.len() == 2) {
        assert!(Instant::now() < deadline, "the request had arrived");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stored(&mut sink, &[("u", "l", "k")]).await;
    assert_eq!(ids(&store, "u", "l").await, ["k", "i"]);
    let counts = &store.profile("u").await.unwrap().unwrap().lines["l"].counts["a"];
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [2], "counted once");

    proxy.set(Fault::Cut);
    for _ in 0..3 {
        let error = write(&mut sink, &ONE).await.unwrap_err();
        assert_eq!(error.class(), Class::Retryable, "{error:?}");
    }
    proxy.set(Fault::None);
    stored(&mut sink, &ONE).await;
}

#[tokio::test]
async fn a_server_that_wants_a_password_is_fatal() {
    let server = own(RedisOptions::default()).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("CONFIG").arg(&["SET", "requirepass", "s3cret"]).exec_async(&mut admin).await.unwrap();
    let (_, mut sink) = open(settings(server.url()));
    failed(&mut sink, &ONE, Class::Fatal, "NOAUTH").await;
}
