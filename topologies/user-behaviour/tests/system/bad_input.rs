//! What a user gets for what is wrong: one clear line with the remedy, a status that tells, nothing lost.

use std::path::Path;
use std::time::Duration;

use super::support::cluster::config;
use super::support::process::{Process, binary, last_line, run};
use super::support::verify::verify;

/// Runs a command that must fail, and demands that its one line says all of `expected`.
fn refused(data_dir: &Path, args: &[&str], expected: &[&str]) {
    let output = run(data_dir, args);
    assert!(!output.status.success(), "{args:?} succeeded");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in expected {
        assert!(error.contains(part), "{args:?}: `{error}` does not say `{part}`");
    }
    assert!(!error.contains("panicked") && !error.contains("stack backtrace"), "{error}");
}

#[test]
fn configuration_names_file_key_and_the_nearest_valid_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.toml");
    std::fs::write(&file, "format = 'behaviour-json'\n[source]\ntopic = 'b'\ngruop = 'g'\n").unwrap();
    let own = file.to_str().unwrap();
    refused(dir.path(), &["describe", "--config", own], &["own.toml", "source.gruop", "did you mean `group`?"]);
    refused(dir.path(), &["describe", "--config", "/no/such.toml"], &["/no/such.toml", "No such file"]);
    refused(dir.path(), &["describe", "--profile", "cloud"], &["`cloud`", "embedded, cluster"]);
    refused(dir.path(), &["describe", "--set", "run.drain_ms=long"], &["--set run.drain_ms", "expected u64"]);
    refused(dir.path(), &["describe", "--set", "format=xml"], &["unknown format `xml`", "behaviour-json"]);
    let unknown = "topology.operators.row.rows=3";
    refused(dir.path(), &["describe", "--set", unknown], &["operators.row:", "did you mean `rows`?"]);
    let unbounded = "topology.defaults.edge=9999999999999999";
    refused(dir.path(), &["describe", "--set", unbounded], &["defaults.edge is 9999999999999999", "1 to 65536"]);
    refused(dir.path(), &["run", "--once", "--input", "/no/such"], &["--input /no/such", "No such file"]);
    refused(dir.path(), &["generate", "--late", "2"], &["late_share", "0 to 1"]);
}

#[test]
fn an_unreachable_server_is_one_line_with_address_and_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let quick = "broker.kafka.connect_timeout_ms=1000";
    let kafka = "broker.kafka.bootstrap=127.0.0.1:1";
    refused(
        dir.path(),
        &["run", "--profile", "cluster", "--set", kafka, "--set", quick],
        &["127.0.0.1:1", "broker.kafka.bootstrap"],
    );
    let redis = ["--set", "timelines.kind=redis", "--set", "timelines.redis.url=redis://:s3cret@127.0.0.1:1/0"];
    // `run` would wait for a store that is away, so that a worker can start during an outage.
    let mut args = vec!["demo"];
    args.extend(redis);
    refused(dir.path(), &args, &["redis", "127.0.0.1:1"]);
    let mysql = ["--set", "rows.kind=mysql", "--set", "rows.mysql.url=mysql://root:s3cret@127.0.0.1:1/x"];
    let mut args = vec!["demo", "--set", "rows.mysql.acquire_timeout_ms=1000"];
    args.extend(mysql);
    refused(dir.path(), &args, &["mysql", "127.0.0.1:1"]);
    for args in [["check"].iter().chain(&redis).copied().collect::<Vec<_>>(), args] {
        let output = run(dir.path(), &args);
        assert!(!output.status.success());
        let all = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains("s3cret"), "a secret was shown");
    }
}

#[test]
fn bounds_that_contradict_each_other_are_refused_with_both() {
    let dir = tempfile::tempdir().unwrap();
    let listen = ["collector", "query"].map(|service| format!("{service}.http.listen=127.0.0.1:0"));
    let cases = [
        (
            "collector.max_body_bytes=4194304",
            ["collector.max_body_bytes is 4194304", "collector.http.max_body_bytes is 2097152"],
        ),
        (
            "collector.spill.drain_wait_ms=30000",
            ["collector.spill.drain_wait_ms is 30000", "broker.embedded.delivery_timeout_ms is 30000"],
        ),
    ];
    for (set, said) in cases {
        let args = ["demo", "--seconds", "1", "--set", set, "--set", &listen[0], "--set", &listen[1]];
        refused(dir.path(), &args, &said);
    }
}

#[test]
fn check_says_of_each_part_how_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["check", "--json"]);
    let checks = last_line(&output)["checks"].as_array().unwrap().clone();
    let of = |what: &str| checks.iter().find(|one| one["what"] == what).unwrap().clone();
    assert_eq!(of("log")["ok"], true);
    assert!(output.status.success());
    assert_eq!(of("schema")["detail"], "not there yet; `run` creates it");
    assert!(run(dir.path(), &["generate", "--count", "1"]).status.success());
    let mut one = Process::start(dir.path(), &["run"]);
    one.wait_until_running();
    refused(dir.path(), &["run"], &["in use by another process"]);
    drop(one);
}

#[tokio::test]
async fn lines_that_are_no_records_become_dead_letters_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("mixed.csv");
    let good = "1,2,3,pv,1511848894";
    let mut lines = vec![good.as_bytes().to_vec()];
    for bad in [&b""[..], b"not a record", b"1,2,3,walk,1511848894", b"1,2,3,pv,never", b"\xff\xfe,2,3,pv,1"] {
        lines.push(bad.to_vec());
    }
    lines.push(vec![b'x'; 3_000_000]);
    lines.push(b"2,2,3,buy,1511848895".to_vec());
    lines.push(good.as_bytes().to_vec());
    std::fs::write(&input, lines.join(&b'\n')).unwrap();
    let data_dir = dir.path().join("data");
    let args = ["run", "--once", "--input", input.to_str().unwrap(), "--format", "taobao-csv", "--report", "json"];
    let output = run(&data_dir, &args);
    assert!(output.status.success());
    let report = last_line(&output);
    assert_eq!(report["read"], 9);
    assert_eq!((&report["decoded"], &report["dead_letters"]), (&3.into(), &6.into()));
    assert_eq!((&report["rows_stored"], &report["duplicates_suppressed"]), (&2.into(), &1.into()));
    let config = config("embedded", &[]);
    verify(&config, &data_dir).await.assert_complete();

    let broker = config.broker.open(&data_dir).await.unwrap();
    let mut cursor = broker.cursor(&config.source.dead_letters, &[(0, 0)]).unwrap();
    let mut letters = Vec::new();
    while letters.len() < 6 {
        let fetched = cursor.fetch(10, Duration::from_secs(10)).await.unwrap().unwrap();
        letters.extend(fetched.records);
    }
    let raw: Vec<_> = letters.iter().filter_map(|letter| letter.value.as_deref()).collect();
    assert!(raw.contains(&&b"\xff\xfe,2,3,pv,1"[..]), "the raw bytes are kept");
    for letter in &letters {
        assert_eq!(letter.headers.last("squall-origin-topic").unwrap(), "behaviour");
        assert!(letter.headers.last("squall-origin-offset").is_some());
        assert!(!letter.headers.last("squall-error-reason").unwrap().is_empty());
    }
}

#[test]
fn an_unknown_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("one.csv");
    std::fs::write(&input, "1,2,3,pv,1511848894\n").unwrap();
    let data_dir = dir.path().join("data");
    let args = ["run", "--once", "--input", input.to_str().unwrap(), "--format", "taobao-csv"];
    assert!(run(&data_dir, &args).status.success());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let url = format!("sqlite://{}", data_dir.join("store.sqlite").display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let insert = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                      VALUES (99, 'from the future', TRUE, x'00', 0)";
        sqlx::query(insert).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    refused(&data_dir, &args, &["99"]);
}

#[test]
fn a_full_disk_stops_the_run_without_acknowledging() {
    // A file size limit is the full disk that a test can have without being root: the log cannot grow past it.
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("big.csv");
    let lines: String = (0..200_000).map(|n| format!("{n},2,3,pv,{}\n", 1_511_848_894 + n)).collect();
    std::fs::write(&input, lines).unwrap();
    let data_dir = dir.path().join("data");
    let args = ["run", "--once", "--input", input.to_str().unwrap(), "--format", "taobao-csv"];
    let command = binary(&data_dir, &args);
    let mut limited = std::process::Command::new("sh");
    // SIGXFSZ is ignored, so that a write past the limit fails as one on a full disk does.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\""]);
    limited.arg(command.get_program()).args(command.get_args());
    let output = limited.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "the limit was not met");
    assert!(error.contains("error: ") && !error.contains("panicked"), "{error}");
    // With room again, nothing that was acknowledged is missing.
    let again = run(&data_dir, &["run", "--once", "--input", input.to_str().unwrap(), "--format", "taobao-csv"]);
    assert!(again.status.success());
}
