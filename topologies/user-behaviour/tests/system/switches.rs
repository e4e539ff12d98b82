//! A query service does as the switches say, and starts with the broker away as it last knew them.

use std::path::Path;

use squall::testing::servers::{Kafka, MariaDb, Redis};
use user_behaviour::topology::now_ms;

use crate::support::cluster::{args, overrides};
use crate::support::process::run;
use crate::support::service::Services;

const USER: &str = "/v1/users/u1/behaviours?limit=5";

/// Ten views of one user.
fn records() -> String {
    let line = |n: i64| {
        format!(
            r#"{{"event_id":"e-{n}","user_id":"u1","app_id":"shop","channel":"app","business":"hotel","action":"view","occurred_at":{}}}"#,
            now_ms() - n
        )
    };
    (0..10).map(line).collect::<Vec<_>>().join("\n")
}

fn start(data_dir: &Path, roles: &str, overrides: &[String]) -> Services {
    Services::start_by(&["run", "--profile", "cluster", "--role", roles], data_dir, overrides)
}

/// Where the list of the user came from, once there is one.
async fn source(services: &Services) -> String {
    let answer = services.until(USER, |answer| answer["records"][4].is_object()).await;
    answer["source"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_service_follows_its_switch_and_keeps_it_without_the_broker() {
    let mut kafka = Kafka::start_own(Default::default()).await.unwrap();
    let (redis, mariadb) = (Redis::start().await.unwrap(), MariaDb::start().await.unwrap());
    let mysql = mariadb.database("switched").await.unwrap();
    let overrides = overrides("switched", kafka.url(), redis.url(), &mysql);
    let dir = tempfile::tempdir().unwrap();
    let [worker, reader, operator] = ["worker", "reader", "operator"].map(|name| dir.path().join(name));
    let mut writing = start(&worker, "all,collector", &overrides);
    let post = reqwest::Client::new().post(format!("{}/v1/behaviours", writing.collector));
    let answer = post.header("content-type", "application/x-ndjson").body(records()).send().await.unwrap();
    assert_eq!(answer.status(), 202);

    let mut reading = start(&reader, "query", &overrides);
    reading.until(USER, |answer| answer["source"] == "redis" && answer["records"][4].is_object()).await;
    let turn = |value: &str| {
        let done = run(&operator, &args(&["switch", value, "timelines", "--reason", "test"], &overrides));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    turn("on");
    reading.until(USER, |answer| answer["source"] == "mysql").await;

    // Nothing tells it any more, and it comes up as it was: the first answer is right already.
    kafka.kill().unwrap();
    reading.process.kill();
    let mut reading = start(&reader, "query", &overrides);
    assert_eq!(source(&reading).await, "mysql");

    kafka.restart().await.unwrap();
    // It answers before all of its partitions have their leaders again: the command waits for them.
    turn("auto");
    reading.until(USER, |answer| answer["source"] == "redis").await;
    reading.process.terminate();
    assert!(reading.process.wait().0.success());
    writing.process.kill();
}
