//! Backfills on real Kafka, Redis and MariaDB, as an operator has them done.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::cluster::{Cluster, settle};
use super::support::cluster::config;
use super::support::process::{Process, last_line, run};
use super::support::verify::verify;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(120);
const RECORDS: u64 = 20_000;

/// Another version of the program, with a configuration of its own, brings all of history into a table and lists of its
/// own, while the first one goes on; whose measurements tell of it.
#[tokio::test(flavor = "multi_thread")]
async fn another_program_brings_history_into_a_table_of_its_own() {
    let cluster = Cluster::start("program").await;
    let dir = tempfile::tempdir().unwrap();
    let (count, first) = (RECORDS.to_string(), cluster.config());
    let generate = ["generate", "--count", &count, "--users", "500", "--broken", "0.01", "--late", "0.1"];
    assert!(run(dir.path(), &cluster.args(&generate)).status.success());
    let mut worker = Process::start(dir.path(), &cluster.args(&["run", "--set", "operations.listen=127.0.0.1:0"]));
    worker.wait_until_running();
    let broker = first.broker.open(dir.path()).await.unwrap();
    settle(&*broker, &first, RECORDS).await;

    let mut overrides = cluster.overrides.clone();
    overrides.extend(["rows.table=behaviour_2", "timelines.redis.prefix=program2:"].map(ToOwned::to_owned));
    let second = config("cluster", &overrides);
    let program = env!("CARGO_BIN_EXE_user-behaviour");
    let dirs = [dir.path().join("operator"), dir.path().join("second")];
    let mut create = Command::new(program);
    create.args(
        cluster.args(&["backfill", "create", "--from", "earliest", "--to", "latest", "--share", "1", "--json"]),
    );
    create.args(["--reason", "table behaviour_2", "--program", program]).arg("--data-dir").arg(&dirs[0]);
    create.args(["--", "--profile", "cluster", "--data-dir"]).arg(&dirs[1]).stdin(Stdio::null());
    create.args(overrides.iter().flat_map(|text| ["--set", text.as_str()]));
    let output = create.output().unwrap();
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);
    let status = last_line(&output);
    assert_eq!((&status["state"], &status["done"]), (&"finished".into(), &RECORDS.into()), "{status}");
    assert_eq!((&status["total"], &status["lost"]), (&RECORDS.into(), &serde_json::json!([])), "{status}");
    let id = status["job"]["id"].as_str().unwrap();

    let figure = |name: &str, label: &str, value: u64| {
        format!("squall_backfill_{name}{{topology=\"{}\",backfill=\"{id}\"{label}}} {value}.0\n", first.name)
    };
    let chunks = status["chunks"].as_u64().unwrap();
    let figures = [
        figure("offsets", "", RECORDS),
        figure("done_offsets", "", RECORDS),
        figure("lost_offsets", "", 0),
        figure("paused", "", 0),
        figure("chunks", ",state=\"done\"", chunks),
        figure("chunks", ",state=\"free\"", 0),
    ];
    let url = format!("{}/metrics", worker.said("operations listens on ").unwrap());
    let (began, mut text) = (Instant::now(), String::new());
    while !figures.iter().all(|line| text.contains(line)) {
        assert!(began.elapsed() < LIMIT, "{figures:#?} are not all in\n{text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        text = reqwest::get(&url).await.unwrap().text().await.unwrap();
    }

    worker.terminate();
    assert!(worker.wait().0.success());
    for config in [&first, &second] {
        let verdict = verify(config, dir.path()).await;
        verdict.assert_complete();
        assert_eq!(verdict.records, RECORDS);
        assert!(verdict.undecodable > 0);
    }
}
