//! Backfills on real Kafka, Redis and MariaDB, as an operator has them done.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use squall::control::backfill::{Backfills, State, Status};
use squall::delivery::queues;
use squall::guard::Clock;
use user_behaviour::settings::Config;
use user_behaviour::topology::NAME;

use super::cluster::{Cluster, settle};
use super::support::cluster::{PARTITIONS, args, config};
use super::support::process::{Process, last_line, run};
use super::support::verify::verify;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(120);
const RECORDS: u64 = 20_000;

/// The second version: a table, lists and a data directory of its own.
struct Second {
    overrides: Vec<String>,
    dir: PathBuf,
}

impl Second {
    fn of(cluster: &Cluster, prefix: &str, dir: &Path) -> Self {
        let mut overrides = cluster.overrides.clone();
        overrides.extend(["rows.table=behaviour_2".to_owned(), format!("timelines.redis.prefix={prefix}:")]);
        Self { overrides, dir: dir.join("second") }
    }

    fn config(&self) -> Config {
        config("cluster", &self.overrides)
    }

    /// The command that has it bring all of history.
    fn create(&self, cluster: &Cluster, operator: &Path) -> Command {
        let program = env!("CARGO_BIN_EXE_user-behaviour");
        let mut create = Command::new(program);
        let what = ["backfill", "create", "--from", "earliest", "--to", "latest", "--share", "1", "--json"];
        create.args(cluster.args(&what)).args(["--reason", "table behaviour_2", "--program", program]);
        create.arg("--data-dir").arg(operator).args(["--", "--profile", "cluster", "--data-dir"]).arg(&self.dir);
        create.args(self.overrides.iter().flat_map(|text| ["--set", text.as_str()])).stdin(Stdio::null());
        create
    }
}

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

    let second = Second::of(&cluster, "program2", dir.path());
    let output = second.create(&cluster, &dir.path().join("operator")).output().unwrap();
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
        format!("squall_backfill_rests{{topology=\"{}\"}} 0.0\n", first.name),
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
    for config in [&first, &second.config()] {
        let verdict = verify(config, dir.path()).await;
        verdict.assert_complete();
        assert_eq!(verdict.records, RECORDS);
        assert!(verdict.undecodable > 0);
    }
}

/// As the README has it, by the binary's own commands: a new version beside the old one, under a name of its own. It stores
/// what arrives, and takes the job that brings it the rest.
#[tokio::test(flavor = "multi_thread")]
async fn two_versions_live_side_by_side_and_the_new_one_gets_all_of_history() {
    const OLD: u64 = 4_000;
    const FRESH: u64 = 500;
    let cluster = Cluster::start("sides").await;
    let dir = tempfile::tempdir().unwrap();
    let first = cluster.config();
    let mut records = 0;
    let mut generate = |count: u64| {
        records += count;
        let (count, seed) = (count.to_string(), records.to_string());
        let more = ["generate", "--count", &count, "--users", "500", "--seed", &seed];
        assert!(run(dir.path(), &cluster.args(&more)).status.success());
        records
    };
    generate(OLD);
    let mut old = Process::start(dir.path(), &cluster.args(&["run"]));
    old.wait_until_running();

    let mut second = Second::of(&cluster, "sides2", dir.path());
    let own =
        ["name=sides-2", "source.group=sides-2", "source.start_from=latest", "source.dead_letters=sides-2.dead"];
    second.overrides.extend(own.map(ToOwned::to_owned));
    let of_second = |command: &[&str]| -> Vec<String> {
        args(command, &second.overrides).into_iter().map(ToOwned::to_owned).collect()
    };
    let tell = |command: &[&str]| {
        let words = of_second(command);
        run(&dir.path().join("operator"), &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let words = of_second(&["run", "--role", "all"]);
    let mut new = Process::start(&second.dir, &words.iter().map(String::as_str).collect::<Vec<_>>());
    new.wait_until_running();
    let config = second.config();
    let broker = first.broker.open(dir.path()).await.unwrap();
    // Each partition of which it has committed something is read from then on.
    loop {
        let committed = broker.committed(&config.source.group, &config.source.topic).await.unwrap();
        if committed.iter().flatten().count() == PARTITIONS as usize {
            break;
        }
        assert!(generate(FRESH) < 100 * FRESH, "it reads nothing");
    }
    let create =
        ["backfill", "create", "--from", "earliest", "--to", "latest", "--share", "1", "--watch", "--json"];
    let output = tell(&create);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let job = last_line(&output)["job"]["id"].clone();
    assert!(job.is_string());
    let others = run(&dir.path().join("operator"), &cluster.args(&["backfill", "list", "--json"]));
    let others = last_line(&others)["backfills"].as_array().unwrap().clone();
    assert!(others.iter().all(|other| other["job"]["id"] != job), "the old version has it too");
    // What no job brings.
    let records = generate(FRESH);

    for config in [&first, &config] {
        settle(&*broker, config, records).await;
    }
    for worker in [&mut old, &mut new] {
        worker.terminate();
        assert!(worker.wait().0.success());
    }
    for config in [&first, &config] {
        let verdict = verify(config, dir.path()).await;
        verdict.assert_complete();
        assert_eq!(verdict.records, records);
    }
}

/// The workers of the topology would bring it into the stores of the first version.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_cannot_store_waits_for_nobody_else() {
    const FEW: u64 = 2_000;
    let cluster = Cluster::start("undiverted").await;
    let dir = tempfile::tempdir().unwrap();
    let (count, first) = (FEW.to_string(), cluster.config());
    assert!(run(dir.path(), &cluster.args(&["generate", "--count", &count, "--users", "50"])).status.success());
    let mut worker = Process::start(dir.path(), &cluster.args(&["run"]));
    worker.wait_until_running();
    let broker = first.broker.open(dir.path()).await.unwrap();
    settle(&*broker, &first, FEW).await;
    let operator = dir.path().join("operator");
    let tell = |what: &[&str]| assert!(run(&operator, &cluster.args(what)).status.success());
    tell(&["switch", "on", "rows", "--reason", "test"]);

    let second = Second::of(&cluster, "undiverted2", dir.path());
    let bringing = second.create(&cluster, &operator).stdout(Stdio::piped()).spawn().unwrap();
    let (began, backfills) = (Instant::now(), Backfills::new(broker.clone(), NAME, Clock::wall()));
    let paused: Status = loop {
        let jobs = backfills.list().await.unwrap();
        if let Some(job) = jobs.into_iter().find(|job| job.state == State::Paused) {
            break job;
        }
        assert!(began.elapsed() < LIMIT, "nobody pauses it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    eprintln!("{:?}", paused.paused);
    for queue in queues(&*broker, NAME).await.unwrap() {
        assert_eq!(queue.waiting, 0, "{queue:?}");
    }
    tell(&["switch", "off", "rows", "--reason", "test"]);
    tell(&["backfill", "resume", &paused.job.id, "--reason", "test"]);
    let output = bringing.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    worker.terminate();
    assert!(worker.wait().0.success());
    for config in [&first, &second.config()] {
        let verdict = verify(config, dir.path()).await;
        verdict.assert_complete();
        assert_eq!(verdict.records, FEW);
    }
}
