//! On real Kafka, Redis and MariaDB, with several worker processes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use squall::broker::Broker;
use squall::delivery::queues;
use squall::testing::servers::{Kafka, MariaDb, MariaDbOptions, Redis, RedisOptions};
use user_behaviour::open::open_rows;
use user_behaviour::settings::Config;
use user_behaviour::topology::NAME;

use super::embedded::{pulled, taobao_file};
use super::support::cluster::{args, config, overrides};
use super::support::process::{Process, last_line, run};
use super::support::verify::verify;

/// Longest that the workers may take for the records of a test.
const LIMIT: Duration = Duration::from_secs(600);

/// The three servers, and the overrides that point a binary at them.
pub(crate) struct Cluster {
    _servers: (Kafka, Redis, MariaDb),
    pub(crate) overrides: Vec<String>,
}

impl Cluster {
    pub(crate) async fn start(topic: &str) -> Self {
        let (kafka, redis, mariadb) =
            (Kafka::start().await.unwrap(), Redis::start().await.unwrap(), MariaDb::start().await.unwrap());
        let database = mariadb.database(topic).await.unwrap();
        let overrides = overrides(topic, kafka.address(), redis.url(), &database);
        Self { _servers: (kafka, redis, mariadb), overrides }
    }

    pub(crate) fn config(&self) -> Config {
        config("cluster", &self.overrides)
    }

    pub(crate) fn args<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        args(command, &self.overrides)
    }

    fn worker(&self, dir: &Path) -> Process {
        Process::start(dir, &self.args(&["run", "--report", "json"]))
    }
}

/// Records of the topic that the group has committed.
async fn committed(broker: &dyn Broker, config: &Config) -> u64 {
    let committed = broker.committed(&config.source.group, &config.source.topic).await.unwrap();
    committed.into_iter().flatten().sum()
}

/// Waits until that many records are committed.
async fn reach(broker: &dyn Broker, config: &Config, records: u64) {
    let deadline = Instant::now() + LIMIT;
    while committed(broker, config).await < records {
        assert!(Instant::now() < deadline, "only {} of {records} committed", committed(broker, config).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until all is committed, and nothing waits for a store that was slow or away.
pub(crate) async fn settle(broker: &dyn Broker, config: &Config, records: u64) {
    reach(broker, config, records).await;
    let deadline = Instant::now() + LIMIT;
    loop {
        let waiting: u64 = queues(broker, &config.name).await.unwrap().iter().map(|queue| queue.waiting).sum();
        if waiting == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{waiting} records still wait");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_records_are_all_stored() {
    let cluster = Cluster::start("taobao").await;
    let dir = tempfile::tempdir().unwrap();
    let input = taobao_file(dir.path());
    let input = input.to_str().unwrap();
    for _ in 0..2 {
        let once = ["run", "--once", "--input", input, "--format", "taobao-csv", "--report", "json"];
        let output = run(dir.path(), &cluster.args(&once));
        assert!(output.status.success());
        let report = last_line(&output);
        assert_eq!((&report["read"], &report["missing"]), (&6000.into(), &0.into()), "{report}");
        verify(&cluster.config(), dir.path()).await.assert_complete();
    }
    let check = run(dir.path(), &cluster.args(&["check"]));
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_records_survive_a_kill_and_a_stop() {
    let records: u64 = 1_000_000;
    let cluster = Cluster::start("million").await;
    let dir = tempfile::tempdir().unwrap();
    let (count, config) = (records.to_string(), cluster.config());
    let generate = ["generate", "--count", &count, "--users", "20000", "--broken", "0.001", "--late", "0.1"];
    assert!(run(dir.path(), &cluster.args(&generate)).status.success());
    let broker = config.broker.open(dir.path()).await.unwrap();

    let mut killed = cluster.worker(dir.path());
    let mut stopped = cluster.worker(dir.path());
    reach(&*broker, &config, records / 2).await;
    assert!(killed.is_running() && stopped.is_running());
    killed.kill();
    let mut heir = cluster.worker(dir.path());
    reach(&*broker, &config, records * 3 / 4).await;
    stopped.terminate();
    let (status, lines) = stopped.wait();
    assert!(status.success(), "{status}");
    assert!(pulled(&lines) > 0);
    settle(&*broker, &config, records).await;
    heir.terminate();
    let (status, _) = heir.wait();
    assert!(status.success(), "{status}");

    let verdict = verify(&config, dir.path()).await;
    verdict.assert_complete();
    assert_eq!(verdict.records, records);
    assert!(verdict.undecodable > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_stops_leave_no_duplicates() {
    let records: u64 = 100_000;
    let cluster = Cluster::start("clean").await;
    let dir = tempfile::tempdir().unwrap();
    let (count, config) = (records.to_string(), cluster.config());
    let broker = config.broker.open(dir.path()).await.unwrap();
    let generate = ["generate", "--count", &count, "--users", "2000", "--broken", "0.01"];
    assert!(run(dir.path(), &cluster.args(&generate)).status.success());

    let (mut first, mut second) = (cluster.worker(dir.path()), cluster.worker(dir.path()));
    reach(&*broker, &config, records / 4).await;
    first.terminate();
    let (status, lines) = first.wait();
    assert!(status.success(), "{status}");
    let by_first = pulled(&lines);
    settle(&*broker, &config, records).await;
    second.terminate();
    let (status, lines) = second.wait();
    assert!(status.success(), "{status}");
    assert_eq!(by_first + pulled(&lines), records, "each record was pulled exactly once");
    let verdict = verify(&config, dir.path()).await;
    verdict.assert_complete();
    assert!(verdict.undecodable > 0);
    assert_eq!(verdict.repeated_letters, 0, "nor was a dead letter written twice");
}

/// A worker that is started during an outage parks what comes, and brings its schema up to date when MariaDB is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_starts_while_both_stores_are_away_and_all_is_stored_once_they_are_back() {
    let records = 3_000;
    let kafka = Kafka::start().await.unwrap();
    let mut redis = Redis::start_own(RedisOptions::default()).await.unwrap();
    let mut mariadb = MariaDb::start_own(MariaDbOptions::default()).await.unwrap();
    let database = mariadb.database("away").await.unwrap();
    let mut overrides = overrides("away", kafka.address(), redis.url(), &database);
    overrides.push("rows.mysql.acquire_timeout_ms=1000".to_owned());
    let (config, dir) = (config("cluster", &overrides), tempfile::tempdir().unwrap());
    redis.kill().unwrap();
    mariadb.kill().unwrap();

    let mut worker = Process::start(dir.path(), &args(&["run"], &overrides));
    worker.wait_until_running();
    let count = records.to_string();
    assert!(
        run(dir.path(), &args(&["generate", "--count", &count, "--broken", "0.01"], &overrides)).status.success()
    );
    let broker = config.broker.open(dir.path()).await.unwrap();
    reach(&*broker, &config, records).await;
    let waiting = queues(&*broker, NAME).await.unwrap();
    assert!(waiting.iter().any(|queue| queue.waiting > 0), "what is committed waits: {waiting:?}");

    redis.restart().await.unwrap();
    mariadb.restart().await.unwrap();
    settle(&*broker, &config, records).await;
    worker.terminate();
    let (status, _) = worker.wait();
    assert!(status.success(), "{status}");
    verify(&config, dir.path()).await.assert_complete();
}

/// Records that wait, by sink.
async fn waiting(broker: &dyn Broker) -> BTreeMap<String, u64> {
    let mut by_sink = BTreeMap::new();
    for queue in queues(broker, NAME).await.unwrap() {
        *by_sink.entry(queue.sink).or_default() += queue.waiting;
    }
    by_sink
}

/// First the timelines are taken out of the path, then both stores, then both come back: what was switched off is
/// parked, what was not goes on, and in the end the stores agree.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_is_parked_beside_what_is_not_and_all_agree_in_the_end() {
    let cluster = Cluster::start("switched").await;
    let (config, dir) = (cluster.config(), tempfile::tempdir().unwrap());
    let mut worker = cluster.worker(dir.path());
    worker.wait_until_running();
    let broker = config.broker.open(dir.path()).await.unwrap();
    let rows = open_rows(&config, dir.path()).await.unwrap();
    let switch = |value: &str, name: &str| {
        let output = run(dir.path(), &cluster.args(&["switch", value, name, "--reason", "test"]));
        assert!(output.status.success(), "every live worker applied it");
    };
    let generate = |seed: &str| {
        let args = ["generate", "--count", "1000", "--duplicates", "0", "--late", "0", "--seed", seed];
        assert!(run(dir.path(), &cluster.args(&args)).status.success());
    };

    switch("on", "timelines");
    generate("1");
    reach(&*broker, &config, 1000).await;
    assert_eq!(waiting(&*broker).await, BTreeMap::from([("rows".into(), 0), ("timelines".into(), 1000)]));
    assert_eq!(rows.count().await.unwrap(), 1000, "MySQL has everything");

    switch("on", "rows");
    generate("2");
    reach(&*broker, &config, 2000).await;
    assert_eq!(waiting(&*broker).await, BTreeMap::from([("rows".into(), 1000), ("timelines".into(), 2000)]));
    assert_eq!(rows.count().await.unwrap(), 1000, "neither store is touched");

    switch("off", "timelines");
    switch("off", "rows");
    settle(&*broker, &config, 2000).await;
    worker.terminate();
    let (status, _) = worker.wait();
    assert!(status.success(), "{status}");
    verify(&config, dir.path()).await.assert_complete();
}

/// `verify` beside a worker that is killed and started again: at no time is a record missing that is only on its way. Then
/// what was taken from the stores, and nothing else, is.
#[tokio::test(flavor = "multi_thread")]
async fn verify_beside_a_worker_finds_nothing_missing_but_what_was_taken_away() {
    let records: u64 = 40_000;
    let cluster = Cluster::start("verified").await;
    let (config, dir) = (cluster.config(), tempfile::tempdir().unwrap());
    let broker = config.broker.open(dir.path()).await.unwrap();
    let count = records.to_string();
    let verify_now = |more: &[&str]| {
        // Of two settings of one key the last one holds.
        let output = run(dir.path(), &[&cluster.args(&["verify", "--json"])[..], more].concat());
        (last_line(&output), output.status.code())
    };
    let in_flight = |report: &serde_json::Value| report["sinks"]["rows"]["in_flight"].as_u64().unwrap();
    let mut worker = cluster.worker(dir.path());
    worker.wait_until_running();
    let generate =
        ["generate", "--count", &count, "--rate", "2000", "--users", "300", "--broken", "0.01", "--late", "0.1"];
    let mut generator = Process::start(dir.path(), &cluster.args(&generate));
    let (mut rounds, mut looked_at) = (0, 0);
    while generator.is_running() {
        let (report, status) = verify_now(&[]);
        assert_eq!((status, &report["missing"]), (Some(0), &0.into()), "{report}");
        looked_at = report["records"].as_u64().unwrap();
        rounds += u32::from(looked_at > 0 && looked_at < records);
        if rounds == 2 {
            worker.kill();
            worker = cluster.worker(dir.path());
        }
    }
    assert!(
        rounds > 2,
        "{rounds} verifications fell between the first and the last record: the load is too short"
    );
    eprintln!("{rounds} verifications beside the load, the last of them of {looked_at} records");
    assert!(generator.wait().0.success());
    settle(&*broker, &config, records).await;
    let (report, status) = verify_now(&[]);
    assert_eq!((status, in_flight(&report)), (Some(0), 0), "{report}");
    let dead = report["undecodable"]["dead"].as_u64().unwrap();
    assert!(dead > 0 && report["records"] == records, "{report}");

    let found =
        last_line(&run(dir.path(), &cluster.args(&["where", "--user", "u00000001", "--limit", "1", "--json"])));
    let record = &found["records"][0];
    assert_eq!(record["sinks"][1]["verdict"], "stored", "{record}");
    let name = record["name"].as_str().unwrap().to_owned();
    let (user, event) = name.split_once('@').unwrap().0.split_once('/').unwrap();
    use sqlx::Connection;
    let url = config.rows.mysql.url.expose();
    let mut connection = sqlx::MySqlConnection::connect(url).await.unwrap();
    let delete = sqlx::query("DELETE FROM behaviour WHERE user_id = ? AND event_id = ?").bind(user).bind(event);
    assert_eq!(delete.execute(&mut connection).await.unwrap().rows_affected(), 1);
    let (report, status) = verify_now(&[]);
    let missing = report["first_missing"].as_array().unwrap();
    assert_eq!((status, &report["sinks"]["timelines"]["missing"]), (Some(7), &0.into()));
    assert!(missing.iter().all(|one| one["name"].as_str().unwrap().starts_with(&format!("{user}/{event}@"))));
    assert!(missing.iter().any(|one| one["offset"] == record["log"]["offset"]), "{report}");
    // Without any timeline all of them are missing there.
    let (report, status) = verify_now(&["--set", "timelines.redis.prefix=nobody:"]);
    assert_eq!(
        (status, &report["sinks"]["timelines"]["missing"]),
        (Some(7), &(records - dead).into()),
        "{report}"
    );
    worker.terminate();
    assert!(worker.wait().0.success());
}
