//! Everything in one process, with nothing installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::data::taobao_lines;
use super::support::cluster::config;
use super::support::process::{Process, last_line, run};
use super::support::verify::verify;

/// The real records, or generated ones of their shape, as a file.
pub(crate) fn taobao_file(dir: &Path) -> PathBuf {
    let path = dir.join("input.csv");
    std::fs::write(&path, taobao_lines().join("\n") + "\n").unwrap();
    path
}

fn once(input: &Path) -> Vec<&str> {
    let input = input.to_str().unwrap();
    vec!["run", "--once", "--input", input, "--format", "taobao-csv", "--report", "json"]
}

async fn check(data_dir: &Path) {
    let verdict = verify(&config("embedded", &[]), data_dir).await;
    verdict.assert_complete();
}

#[tokio::test]
async fn the_real_records_are_all_stored_and_a_second_run_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let input = taobao_file(dir.path());
    let distinct = {
        let mut lines = taobao_lines();
        lines.sort();
        lines.dedup();
        lines.len() as u64
    };
    let data_dir = dir.path().join("data");
    for round in 0..2 {
        let output = run(&data_dir, &once(&input));
        assert!(output.status.success());
        let report = last_line(&output);
        for (field, expected) in [("read", 6000), ("decoded", 6000), ("missing", 0), ("dead_letters", 0)] {
            assert_eq!(report[field], expected, "{field} in round {round}: {report}");
        }
        assert_eq!(report["rows_stored"], distinct);
        assert_eq!(report["duplicates_suppressed"], if round == 0 { 6000 - distinct } else { 6000 });
        assert!(report["latency_ms"]["p99"].as_f64().unwrap() > 0.0);
        check(&data_dir).await;
    }
    assert!(data_dir.join("store.sqlite").is_file());
}

#[tokio::test]
async fn ten_kills_at_random_moments_end_in_the_same_state() {
    let dir = tempfile::tempdir().unwrap();
    let input = taobao_file(dir.path());
    let data_dir = dir.path().join("data");
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    eprintln!("kill times are drawn from {seed}");
    let (mut state, mut killed) = (u64::from(seed) | 1, 0);
    while killed < 10 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut process = Process::start(&data_dir, &once(&input));
        std::thread::sleep(Duration::from_millis(20 + (state >> 33) % 600));
        killed += u32::from(process.is_running());
        process.kill();
    }
    let output = run(&data_dir, &once(&input));
    assert!(output.status.success());
    assert_eq!(last_line(&output)["missing"], 0);
    check(&data_dir).await;
}

#[tokio::test]
async fn a_worker_killed_again_and_again_loses_nothing_of_a_log_that_was_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let records = 20_000;
    let count = records.to_string();
    let generate = ["generate", "--count", &count, "--users", "300", "--broken", "0.01"];
    assert!(run(dir.path(), &generate).status.success());
    let config = config("embedded", &["source.commit_interval_ms=50".to_owned()]);
    let (mut state, mut in_between) = (u64::from(std::process::id()) | 1, 0);
    for _ in 0..10 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut worker = Process::start(dir.path(), &["run", "--set", "source.commit_interval_ms=50"]);
        worker.wait_until_running();
        std::thread::sleep(Duration::from_millis(10 + (state >> 33) % 150));
        worker.kill();
        let broker = config.broker.open(dir.path()).await.unwrap();
        let committed = broker.committed(&config.source.group, &config.source.topic).await.unwrap();
        let committed: u64 = committed.into_iter().flatten().sum();
        in_between += u32::from(committed > 0 && committed < records);
    }
    eprintln!("{in_between} of 10 kills fell between the first and the last commit");
    assert!(in_between > 0, "no kill hit a worker at work: the log is too short for this machine");
    // One more record, so that the bounded run has something to load.
    let last = dir.path().join("last.csv");
    std::fs::write(&last, "1,2,3,pv,1511848894\n").unwrap();
    assert!(run(dir.path(), &once(&last)).status.success());
    let verdict = verify(&config, dir.path()).await;
    verdict.assert_complete();
    assert_eq!(verdict.records, records + 1);
}

#[tokio::test]
async fn sigterm_drains_and_leaves_nothing_to_do_again() {
    let dir = tempfile::tempdir().unwrap();
    let generated = run(dir.path(), &["generate", "--count", "20000", "--users", "300", "--broken", "0.01"]);
    assert!(generated.status.success());
    let mut worker =
        Process::start(dir.path(), &["run", "--report", "json", "--set", "topology.defaults.batch=50"]);
    worker.wait_until_running();
    std::thread::sleep(Duration::from_millis(300));
    worker.terminate();
    let (status, lines) = worker.wait();
    assert!(status.success(), "{status}");
    let first = pulled(&lines);
    let mut worker = Process::start(dir.path(), &["run", "--report", "json"]);
    let config = config("embedded", &[]);
    // The data directory belongs to the worker: whether it is done shows only in what it leaves behind.
    let mut second = 0;
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(1500));
        worker.terminate();
        let (status, lines) = worker.wait();
        assert!(status.success(), "{status}");
        second += pulled(&lines);
        if first + second >= 20_000 {
            break;
        }
        worker = Process::start(dir.path(), &["run", "--report", "json"]);
    }
    assert_eq!(first + second, 20_000, "each record was pulled exactly once");
    let verdict = verify(&config, dir.path()).await;
    verdict.assert_complete();
    assert!(verdict.undecodable > 0);
}

#[tokio::test]
async fn the_demo_generates_runs_and_sums_up_and_a_user_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["demo", "--seconds", "3", "--rate", "500"]);
    assert!(output.status.success());
    let summary = String::from_utf8(output.stdout).unwrap();
    for operator in ["behaviour", "timelines", "rows", "from pulled to stored"] {
        assert!(summary.contains(operator), "{summary}");
    }
    // What the generator appended after the stop waits for the next run.
    let mut worker = Process::start(dir.path(), &["run"]);
    std::thread::sleep(Duration::from_secs(2));
    worker.terminate();
    assert!(worker.wait().0.success());
    let verdict = verify(&config("embedded", &[]), dir.path()).await;
    verdict.assert_complete();
    assert!(verdict.records > 500);

    let input = dir.path().join("one.csv");
    std::fs::write(&input, "42,7,8,buy,1511848894\n").unwrap();
    assert!(run(dir.path(), &once(&input)).status.success());
    let read = last_line(&run(dir.path(), &["read", "42", "--json"]));
    assert_eq!(read["user_id"], "42");
    assert_eq!(read["timeline"].as_array().unwrap().len(), 1, "{read}");
    let table = run(dir.path(), &["read", "42"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("order"));
    let nobody = run(dir.path(), &["read", "nobody", "--json"]);
    assert!(nobody.status.success());
    assert!(last_line(&nobody)["profile"].is_null());
}

/// As they stand there, in a shell.
#[test]
fn the_lines_that_the_demo_says_to_try_work() {
    let dir = tempfile::tempdir().unwrap();
    let listen = ["collector", "query"].map(|service| format!("{service}.http.listen=127.0.0.1:0"));
    let demo = Process::start(dir.path(), &["demo", "--rate", "100", "--set", &listen[0], "--set", &listen[1]]);
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < Duration::from_secs(120), "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until("it says what to try", &|| demo.said("100 records a second").is_some());
    let lines = demo.lines_said("  curl -s ");
    let answer = |line: &str| -> Value {
        let output = Command::new("sh").args(["-c", line]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {output:?}"))
    };
    let [put, list, profile] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(answer(put)["accepted"], 1);
    until("the record comes out", &|| answer(list)["records"][0]["item_id"] == "hotel-7");
    until("the profile knows it", &|| answer(profile)["businesses"]["hotel"]["last_seen"].is_number());
}

#[tokio::test]
async fn commands_reach_the_log_of_a_running_topology() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Process::start(dir.path(), &["run"]);
    worker.wait_until_running();
    let generated = run(dir.path(), &["generate", "--count", "2500", "--users", "50"]);
    assert!(generated.status.success());
    let checks = last_line(&run(dir.path(), &["check", "--json"]))["checks"].as_array().unwrap().clone();
    for what in ["log", "topic"] {
        assert_eq!(checks.iter().find(|one| one["what"] == what).unwrap()["ok"], true, "{checks:?}");
    }
    // Killed, so that its socket stays behind: it is in nobody's way.
    worker.kill();
    assert!(dir.path().join("log/broker.sock").exists());
    assert!(run(dir.path(), &["generate", "--count", "1"]).status.success());
    let config = config("embedded", &[]);
    let broker = config.broker.open(dir.path()).await.unwrap();
    let bounds = broker.bounds(&config.source.topic).await.unwrap();
    assert_eq!(bounds.iter().map(|bounds| bounds.latest).sum::<u64>(), 2501, "what was acknowledged is there");
    drop(broker);
    let alone = ["--set", "broker.embedded.share=false"];
    let mut worker = Process::start(dir.path(), &[&["run"][..], &alone].concat());
    worker.wait_until_running();
    let refused = run(dir.path(), &["generate", "--count", "1"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in use by another process"));
}

#[test]
fn the_graph_is_described_and_nothing_is_written_on_a_dry_run() {
    let dir = tempfile::tempdir().unwrap();
    for (format, part) in
        [("text", "sink timelines"), ("json", "\"topology\""), ("mermaid", "flowchart"), ("dot", "digraph")]
    {
        let output = run(dir.path(), &["describe", "--format", format]);
        assert!(String::from_utf8(output.stdout).unwrap().contains(part), "{format}");
    }
    let data_dir = dir.path().join("data");
    let output = run(&data_dir, &["generate", "--count", "5", "--dry-run"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("would write 5 records"));
    assert!(!data_dir.exists());
    let file = dir.path().join("records.jsonl");
    let to_file = ["generate", "--count", "500", "--start-ms", "1700000000000", "--to", file.to_str().unwrap()];
    assert!(run(&data_dir, &to_file).status.success());
    let first = std::fs::read(&file).unwrap();
    assert!(run(&data_dir, &to_file).status.success());
    assert_eq!(first, std::fs::read(&file).unwrap(), "the same seed gives the same records");
    assert_eq!(first.iter().filter(|byte| **byte == b'\n').count(), 500);
}

/// Records that a worker pulled, from its report.
pub(crate) fn pulled(lines: &[String]) -> u64 {
    let report: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    let operators = report["operators"].as_array().unwrap();
    operators.iter().find(|operator| operator["operator"] == "behaviour").unwrap()["tuples_out"].as_u64().unwrap()
}
