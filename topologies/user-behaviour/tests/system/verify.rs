//! `verify` and `where` as an operator uses them: what was taken away is found, and nothing else.

use std::path::Path;

use serde_json::Value;
use squall::broker::Append;
use user_behaviour::settings::Config;

use super::embedded::taobao_file;
use super::support::cluster::config;
use super::support::process::{Process, last_line, run};
use super::support::verify::verify;

/// The last JSON object that a command printed, and its status.
fn json(data_dir: &Path, args: &[&str]) -> (Value, Option<i32>) {
    let output = run(data_dir, &[args, &["--json"]].concat());
    (last_line(&output), output.status.code())
}

fn refused(data_dir: &Path, args: &[&str], status: i32, expected: &[&str]) {
    let output = run(data_dir, args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {error}");
    assert!(expected.iter().all(|part| error.contains(part)), "{args:?}: {error}");
    assert!(!error.contains("panicked"), "{error}");
}

/// Generated records, some late, some twice, some broken, all of them stored or dead.
fn processed(dir: &Path) {
    let generate = [
        "generate",
        "--count",
        "3000",
        "--users",
        "3",
        "--late",
        "0.2",
        "--duplicates",
        "0.05",
        "--broken",
        "0.02",
    ];
    assert!(run(dir, &generate).status.success());
    let one = dir.join("one.csv");
    std::fs::write(&one, "42,7,8,buy,1511848894\n").unwrap();
    let once = ["run", "--once", "--input", one.to_str().unwrap(), "--format", "taobao-csv"];
    assert!(run(dir, &once).status.success());
}

async fn rows(dir: &Path, sql: &str) -> u64 {
    use sqlx::Connection;
    let url = format!("sqlite://{}", dir.join("store.sqlite").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    done.rows_affected()
}

/// Everything that `verify` says is missing: partition, offset, sinks.
fn missing(report: &Value) -> Vec<(u64, u64, String)> {
    let one = |missing: &Value| {
        let sinks: Vec<_> = missing["sinks"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        (missing["partition"].as_u64().unwrap(), missing["offset"].as_u64().unwrap(), sinks.join(","))
    };
    report["first_missing"].as_array().unwrap().iter().map(one).collect()
}

async fn append(config: &Config, dir: &Path, topic: &str, append: Append) -> (u64, u64) {
    let broker = config.broker.open(dir).await.unwrap();
    let at = broker.producer().unwrap().append(topic, vec![append]).await.unwrap()[0];
    (u64::from(at.partition), at.offset)
}

/// Moves the commit of the topology to the end, as if all had been processed.
async fn commit_all(config: &Config, dir: &Path) {
    let broker = config.broker.open(dir).await.unwrap();
    let ends: Vec<_> = broker.bounds(&config.source.topic).await.unwrap();
    let ends: Vec<_> = ends.iter().map(|bounds| (bounds.partition, bounds.latest)).collect();
    broker.reset(&config.source.group, &config.source.topic, &ends).await.unwrap();
}

#[tokio::test]
async fn what_is_all_there_is_all_there() {
    let dir = tempfile::tempdir().unwrap();
    processed(dir.path());
    let (report, status) = json(dir.path(), &["verify"]);
    assert_eq!((status, &report["missing"]), (Some(0), &0.into()), "{report}");
    let dead = report["undecodable"]["dead"].as_u64().unwrap();
    assert!(dead > 0 && report["sinks"]["timelines"]["expired"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["sinks"]["rows"]["stored"].as_u64().unwrap() + dead, report["records"].as_u64().unwrap());
    let table = run(dir.path(), &["verify"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("nothing is missing") && table.contains("IN FLIGHT"), "{table}");
    let (sample, status) = json(dir.path(), &["verify", "--sample", "100", "--seed", "3"]);
    assert_eq!((status, &sample["records"], &sample["sample"]["seed"]), (Some(0), &100.into(), &3.into()));
    verify(&config("embedded", &[]), dir.path()).await.assert_complete();
}

/// Takes one thing away at a time.
#[tokio::test]
async fn a_row_an_entry_and_a_record_that_are_taken_away_are_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    processed(dir.path());
    let config = config("embedded", &[]);

    // A row.
    let (found, _) = json(dir.path(), &["where", "--offset", "0:10"]);
    let name = found["records"][0]["name"].as_str().unwrap().to_owned();
    let (user, rest) = name.split_once('/').unwrap();
    let (event, _) = rest.split_once('@').unwrap();
    let copy =
        format!("CREATE TABLE kept AS SELECT * FROM behaviour WHERE user_id = '{user}' AND event_id = '{event}'");
    rows(dir.path(), &copy).await;
    let one = format!("DELETE FROM behaviour WHERE user_id = '{user}' AND event_id = '{event}'");
    assert_eq!(rows(dir.path(), &one).await, 1);
    let file = dir.path().join("missing.jsonl");
    let (report, status) = json(dir.path(), &["verify", "--missing", file.to_str().unwrap()]);
    assert_eq!(status, Some(7), "{report}");
    // The record itself, and those that say the same again.
    let gone = missing(&report);
    assert!(gone.contains(&(0, 10, "rows".to_owned())) && gone.iter().all(|(_, _, sinks)| sinks == "rows"));
    assert_eq!(report["missing"], gone.len());
    assert_eq!(report["sinks"]["timelines"]["missing"], 0);
    let lines = std::fs::read_to_string(&file).unwrap();
    assert!(lines.contains(r#"{"from":10,"partition":0,"to":11}"#), "{lines}");
    let (found, _) = json(dir.path(), &["where", "--event-id", event, "--user", user]);
    assert!(
        found["records"].as_array().unwrap().iter().all(|one| one["sinks"][1]["verdict"] == "missing"),
        "{found}"
    );
    let text = String::from_utf8(run(dir.path(), &["verify"]).stdout).unwrap();
    assert!(text.contains("0:10 ") && text.contains(&name), "{text}");
    // An older version is no better than none; a newer one is.
    rows(dir.path(), "INSERT INTO behaviour SELECT * FROM kept").await;
    assert_eq!(json(dir.path(), &["verify"]).1, Some(0));
    rows(dir.path(), &format!("UPDATE behaviour SET occurred_at = occurred_at - 1 WHERE event_id = '{event}'"))
        .await;
    assert_eq!(missing(&json(dir.path(), &["verify"]).0), gone);
    rows(dir.path(), &format!("UPDATE behaviour SET occurred_at = occurred_at + 2 WHERE event_id = '{event}'"))
        .await;
    let (report, status) = json(dir.path(), &["verify"]);
    assert_eq!((status, &report["sinks"]["rows"]["newer"]), (Some(0), &gone.len().into()), "{report}");

    // A record that is committed and was processed by nobody: missing in both.
    let value = taobao("77,1,2,buy,1511848894");
    let (partition, offset) = append(&config, dir.path(), &config.source.topic, value).await;
    let (report, status) = json(dir.path(), &["verify"]);
    assert_eq!(
        (status, &report["sinks"]["rows"]["in_flight"]),
        (Some(0), &1.into()),
        "not processed yet: {report}"
    );
    commit_all(&config, dir.path()).await;
    let (report, status) = json(dir.path(), &["verify"]);
    assert_eq!(status, Some(7));
    assert_eq!(missing(&report), [(partition, offset, "timelines,rows".to_owned())]);
    // And one that does not decode.
    let broken = append(&config, dir.path(), &config.source.topic, taobao("77,1,2,walk,1511848894")).await;
    commit_all(&config, dir.path()).await;
    let (report, _) = json(dir.path(), &["verify"]);
    assert!(missing(&report).contains(&(broken.0, broken.1, String::new())), "{report}");
    assert_eq!((&report["missing"], &report["undecodable"]["missing"]), (&2.into(), &1.into()));
}

fn taobao(line: &str) -> Append {
    let headers = squall::Headers::default().with("format", "taobao-csv");
    Append { partition: Some(1), value: Some(line.to_owned().into()), headers, ..Append::default() }
}

/// All entries are taken away: each is missing, however old it is. What a shorter timeline has no place for is not.
#[tokio::test]
async fn entries_that_are_taken_away_are_missing_unless_the_rules_drop_them() {
    let dir = tempfile::tempdir().unwrap();
    let input = taobao_file(dir.path());
    let once = ["run", "--once", "--input", input.to_str().unwrap(), "--format", "taobao-csv"];
    assert!(run(dir.path(), &once).status.success());
    let (before, status) = json(dir.path(), &["verify"]);
    assert_eq!(status, Some(0), "{before}");
    std::fs::remove_dir_all(dir.path().join("timelines")).unwrap();
    let (report, status) = json(dir.path(), &["verify"]);
    assert_eq!(status, Some(7));
    assert_eq!(report["sinks"]["timelines"]["missing"], report["records"]);
    assert_eq!(report["sinks"]["rows"], before["sinks"]["rows"]);
    let shown = report["first_missing"].as_array().unwrap();
    assert!(shown.len() == 20 && shown.iter().all(|one| one["sinks"] == serde_json::json!(["timelines"])));
    // With a shorter timeline the same records are right not to be there.
    assert!(run(dir.path(), &[&once[..], &["--set", "timelines.keep=5"]].concat()).status.success());
    let (report, status) = json(dir.path(), &["verify", "--set", "timelines.keep=5"]);
    assert_eq!((status, &report["missing"]), (Some(0), &0.into()), "{report}");
    assert!(report["sinks"]["timelines"]["expired"].as_u64() > before["sinks"]["timelines"]["expired"].as_u64());
}

#[tokio::test]
async fn a_record_is_found_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run(dir.path(), &["generate", "--count", "200", "--users", "5", "--broken", "0.1"]).status.success());
    // The rows are switched off: what comes is stored in the timelines and parked for the rows.
    let on = ["switch", "on", "rows", "--force"];
    assert!(run(dir.path(), &on).status.success());
    let mut worker = Process::start(dir.path(), &["run"]);
    worker.wait_until_running();
    let config = config("embedded", &[]);
    loop {
        let broker = config.broker.open_or_join(dir.path()).await.unwrap();
        let committed = broker.committed(&config.source.group, &config.source.topic).await.unwrap();
        if committed.into_iter().flatten().sum::<u64>() == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    worker.terminate();
    assert!(worker.wait().0.success());

    let (report, status) = json(dir.path(), &["verify"]);
    let dead = report["undecodable"]["dead"].as_u64().unwrap();
    assert_eq!((status, &report["sinks"]["rows"]["waiting"]), (Some(0), &(200 - dead).into()), "{report}");
    let (mut parked, mut letters) = (0, 0);
    for offset in 0..report["ranges"][0]["to"].as_u64().unwrap() {
        let (found, status) = json(dir.path(), &["where", "--offset", &format!("0:{offset}")]);
        let record = &found["records"][0];
        assert_eq!(
            (status, &record["log"]["offset"], &record["committed"]),
            (Some(0), &offset.into(), &true.into())
        );
        if record["undecodable"].is_null() {
            let rows = &record["sinks"][1];
            assert_eq!((&rows["sink"], &rows["verdict"]), (&"rows".into(), &"waiting".into()), "{record}");
            assert_eq!(rows["waits"][0]["queue"], "parked");
            parked += 1;
        } else {
            let letter = &record["sinks"][0];
            assert_eq!((&letter["verdict"], &letter["letters"][0]["class"]), (&"dead".into(), &"poison".into()));
            letters += 1;
        }
        if parked > 3 && letters > 0 {
            break;
        }
    }
    assert!(parked > 0 && letters > 0, "{parked} parked, {letters} dead");

    let (found, _) = json(dir.path(), &["where", "--offset", "0:0"]);
    let by_user = |name: &str| name.split_once('/').unwrap().0.to_owned();
    let records = if found["records"][0]["name"].is_null() {
        json(dir.path(), &["where", "--offset", "0:1"]).0
    } else {
        found
    };
    let name = records["records"][0]["name"].as_str().unwrap().to_owned();
    let (user, event) = (by_user(&name), name.split_once('/').unwrap().1.split_once('@').unwrap().0.to_owned());
    let (found, status) = json(dir.path(), &["where", "--event-id", &event]);
    assert_eq!((status, &found["records"][0]["name"]), (Some(0), &name.as_str().into()));
    let (found, _) = json(dir.path(), &["where", "--user", &user, "--limit", "3"]);
    let found = found["records"].as_array().unwrap().clone();
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|one| by_user(one["name"].as_str().unwrap()) == user && !one["log"].is_null()));
    let text = String::from_utf8(run(dir.path(), &["where", "--user", &user]).stdout).unwrap();
    assert!(text.contains("timelines  stored") && text.contains("parked, as the sink takes rows"), "{text}");
    // What the log was not searched for is still known of the timelines.
    let (found, _) = json(dir.path(), &["where", "--user", &user, "--limit", "2", "--since", "1ms"]);
    let found = found["records"].as_array().unwrap().clone();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|one| one["log"].is_null() && one["sinks"][0]["verdict"] == "stored"), "{found:?}");
    verify(&config, dir.path()).await;
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_can() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    refused(&nowhere, &["verify"], 1, &["there is no log in"]);
    refused(&nowhere, &["where", "--user", "1"], 1, &["there is no log in"]);
    assert!(!nowhere.exists(), "a look created something");
    processed(dir.path());
    for (args, status, parts) in [
        (&["verify", "--from", "9:0"][..], 1, &["no partition 9", "0 to 3"][..]),
        (&["verify", "--from", "0:99999"], 1, &["--from is 99999", "valid are 0 to "]),
        (&["verify", "--from", "0:7", "--to", "0:3"], 1, &["--from is 7 and --to is 3"]),
        (&["verify", "--from", "0:7", "--to", "1:3"], 1, &["--from names partitions 0 and --to names 1"]),
        (&["verify", "--from", "0:0,0:1"], 2, &["names partition 0 twice"]),
        (&["verify", "--from", "tomorrow"], 2, &["earliest, latest, P:O"]),
        (&["verify", "--sample", "0"], 2, &["0 is not in 1.."]),
        (&["verify", "--seed", "5"], 2, &["--sample"]),
        (&["verify", "--missing", "/no/such/file"], 1, &["cannot write /no/such/file"]),
        (&["where"], 2, &["--event-id", "--user", "--offset"]),
        (&["where", "--offset", "0:1", "--user", "1"], 2, &["cannot be used with"]),
        (&["where", "--offset", "1"], 2, &["PARTITION:OFFSET"]),
        (&["where", "--offset", "0:99999"], 1, &["no offset 99999", "valid are 0 to "]),
        (&["where", "--offset", "9:0"], 1, &["no partition 9"]),
        (&["where", "--event-id", "nobody"], 1, &["`nobody`", "--since"]),
        (&["where", "--user", "nobody", "--since", "yesterday"], 2, &["is no time"]),
    ] {
        refused(dir.path(), args, status, parts);
    }
    assert_eq!(json(dir.path(), &["where", "--user", "nobody"]), (serde_json::json!({ "records": [] }), Some(1)));
}
