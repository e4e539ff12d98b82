//! The servers really start, die and come back. Needs them installed: `make install-test kafka`.

use std::process::Command;
use std::time::{Duration, Instant};

use super::{Kafka, KafkaOptions, MariaDb, Redis, RedisOptions, Server, ServerError, ServerKind};
use crate::testing::{Fault, FaultProxy};

async fn redis(url: &str, command: &[&str]) -> Result<Option<String>, String> {
    let mut connection = ::redis::Client::open(url)
        .map_err(|e| e.to_string())?
        .get_multiplexed_async_connection()
        .await
        .map_err(|e| e.to_string())?;
    let mut request = ::redis::cmd(command[0]);
    request.arg(&command[1..]);
    request.query_async(&mut connection).await.map_err(|e| e.to_string())
}

fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn redis_comes_back_on_the_same_port_with_the_same_data() {
    let mut server =
        Redis::start_with(RedisOptions { append_only: true, ..RedisOptions::default() }).await.unwrap();
    let (url, pid) = (server.url().to_owned(), server.pid().unwrap());
    redis(&url, &["SET", "k", "v"]).await.unwrap();

    server.kill().unwrap();
    assert_eq!(server.pid(), None);
    assert_eq!(state(pid), None);
    assert!(redis(&url, &["GET", "k"]).await.is_err());
    assert!(matches!(server.suspend(), Err(ServerError::Stopped { .. })));

    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    assert_eq!(redis(&url, &["GET", "k"]).await.unwrap().as_deref(), Some("v"));

    server.wipe().await.unwrap();
    assert_eq!(redis(&url, &["GET", "k"]).await.unwrap(), None);
}

#[tokio::test]
async fn a_suspended_server_stops_and_goes_on() {
    let mut server = Redis::start().await.unwrap();
    let pid = server.pid().unwrap();
    server.suspend().unwrap();
    until("it stops", || state(pid) == Some('T')).await;
    server.resume().unwrap();
    until("it goes on", || state(pid) != Some('T')).await;
    redis(server.url(), &["PING"]).await.unwrap();
    server.suspend().unwrap();
    drop(server);
    assert_eq!(state(pid), None);
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_its_log() {
    let options =
        RedisOptions { arguments: vec!["--no-such-option".into(), "1".into()], ..RedisOptions::default() };
    let error = Redis::start_with(options).await.unwrap_err();
    assert!(matches!(&error, ServerError::Exited { log, .. } if log.contains("no-such-option")), "{error}");
}

#[tokio::test]
async fn mariadb_gives_each_test_an_empty_database() {
    use sqlx::Connection;
    let mut server = MariaDb::start().await.unwrap();
    let url = server.database("one").await.unwrap();
    let mut connection = sqlx::MySqlConnection::connect(&url).await.unwrap();
    sqlx::query("create table t (k int)").execute(&mut connection).await.unwrap();
    let other = server.database("two").await.unwrap();
    let mut second = sqlx::MySqlConnection::connect(&other).await.unwrap();
    assert!(sqlx::query("select * from t").execute(&mut second).await.is_err());
    assert!(server.database("Bad-Name").await.is_err());

    server.kill().unwrap();
    server.restart().await.unwrap();
    let mut connection = sqlx::MySqlConnection::connect(&url).await.unwrap();
    sqlx::query("select * from t").execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn kafka_answers_after_a_start_and_after_a_crash() {
    let mut server = Kafka::start().await.unwrap();
    let url = server.url().to_owned();
    server.options().probe(&url).await.unwrap();
    server.kill().unwrap();
    assert!(server.options().probe(&url).await.is_err());
    server.restart().await.unwrap();
    server.options().probe(&url).await.unwrap();
}

/// Freezes a server, thaws it, and restarts it while it is frozen.
async fn freeze<K: ServerKind>() {
    let mut server = Server::<K>::start_own(K::default()).await.unwrap();
    let (url, pid) = (server.url().to_owned(), server.pid().unwrap());
    server.suspend().unwrap();
    until("it stops", || state(pid) == Some('T')).await;
    server.resume().unwrap();
    until("it goes on", || state(pid) != Some('T')).await;
    server.options().probe(&url).await.unwrap();
    server.suspend().unwrap();
    server.kill().unwrap();
    assert_eq!(state(pid), None);
    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    server.options().probe(&url).await.unwrap();
}

#[tokio::test]
async fn every_kind_freezes_and_comes_back() {
    freeze::<super::RedisOptions>().await;
    freeze::<super::MariaDbOptions>().await;
    freeze::<super::KafkaOptions>().await;
}

#[tokio::test]
async fn clients_reach_a_kafka_behind_a_proxy_only_through_it() {
    let (mut server, proxy) = Kafka::start_behind_proxy(KafkaOptions::default()).await.unwrap();
    let through = proxy.address().to_string();
    server.options().probe(&through).await.unwrap();
    let carried = proxy.bytes();
    assert!(carried > 0);
    proxy.set(Fault::Cut);
    assert!(server.options().probe(&through).await.is_err());
    let direct = server.direct_address().unwrap();
    server.options().probe(&direct).await.unwrap();
    assert_eq!(proxy.bytes(), carried, "the direct way stays off the proxy");
    proxy.set(Fault::None);
    server.kill().unwrap();
    server.restart().await.unwrap();
    server.options().probe(&through).await.unwrap();
    assert!(proxy.bytes() > carried);
}

#[tokio::test]
async fn redis_and_mariadb_are_reached_through_a_proxy_as_they_are() {
    let (redis, mariadb) = (Redis::start().await.unwrap(), MariaDb::start().await.unwrap());
    let proxy = FaultProxy::start(redis.socket_address().unwrap());
    redis.options().probe(&proxy.reroute(redis.url())).await.unwrap();
    proxy.lead_to(mariadb.socket_address().unwrap());
    mariadb.options().probe(&proxy.reroute(mariadb.url())).await.unwrap();
    proxy.set(Fault::BlackHole);
    assert!(mariadb.options().probe(&proxy.reroute(mariadb.url())).await.is_err());
}

const CHILD: &str = "SQUALL_TEST_CHILD_FILE";

#[tokio::test]
async fn a_server_dies_with_a_killed_test_process() {
    if let Ok(file) = std::env::var(CHILD) {
        return be_the_child(file).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "testing::servers::tests::a_server_dies_with_a_killed_test_process"])
        .env(CHILD, &file)
        .spawn()
        .unwrap();
    until("the child starts a server", || file.exists()).await;
    let pid: u32 = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    assert!(state(pid).is_some());
    child.kill().unwrap();
    child.wait().unwrap();
    // Where nobody reaps orphans it stays as a zombie.
    until("the server dies", || matches!(state(pid), None | Some('Z'))).await;
}

/// Starts a server from a thread that ends, says so, and waits to be killed.
async fn be_the_child(file: String) {
    let thread = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Redis::start()).unwrap()
    });
    let server = thread.join().unwrap();
    redis(server.url(), &["PING"]).await.unwrap();
    std::fs::write(format!("{file}.new"), server.pid().unwrap().to_string()).unwrap();
    std::fs::rename(format!("{file}.new"), file).unwrap();
    std::future::pending::<()>().await;
}
