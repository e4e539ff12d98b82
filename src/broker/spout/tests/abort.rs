//! A real process that really aborts, started again until it comes to its end.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{
    Append, Broker, GroupSettings, LogRecord, LogSpout, LogSpoutSettings, TopicSpec, dead_letter,
};
use crate::runtime::start;
use crate::topology::{Bolt, Emitter, Rejected, Result, Settings, Sink, Topology, Tuning};

const CHILD: &str = "SQUALL_TEST_SPOUT_ABORT";
const NAME: &str =
    "broker::spout::tests::abort::a_record_that_aborts_its_process_is_set_aside_and_the_others_are_stored";
const PARTITIONS: u32 = 2;
const RECORDS: u64 = 400;
const DEADLY: &str = "1/217";

/// Aborts at one key.
#[derive(Clone)]
struct Fragile;

impl Bolt for Fragile {
    type In = LogRecord;
    type Out = LogRecord;

    async fn execute(&mut self, record: &LogRecord, out: &mut Emitter<LogRecord>) -> Result<()> {
        if record.key.as_deref() == Some(DEADLY.as_bytes()) {
            std::process::abort();
        }
        out.emit(record.clone());
        Ok(())
    }
}

/// Writes keys to a file, which is with the system when a write is done.
#[derive(Clone)]
struct File(Arc<std::fs::File>);

impl Sink for File {
    type In = LogRecord;

    async fn write(&mut self, rows: &[&LogRecord]) -> Result<Rejected> {
        let key = |row: &&LogRecord| String::from_utf8(row.key.as_deref().unwrap().to_vec()).unwrap() + "\n";
        let lines: String = rows.iter().map(key).collect();
        (&*self.0).write_all(lines.as_bytes()).unwrap();
        Ok(Rejected::none())
    }
}

#[test]
fn a_record_that_aborts_its_process_is_set_aside_and_the_others_are_stored() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return work(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    // One death at random, one with the run, three alone, and the start that sets it aside.
    let mut starts = 1;
    loop {
        let status = run_child(dir.path());
        if status.success() {
            break;
        }
        assert!(status.signal().is_some(), "it ended otherwise than by its own hand: {status}");
        starts += 1;
        assert!(starts <= 6, "it still dies");
    }
    assert_eq!(starts, 6, "it was set aside before it had killed three times alone");
    let stored = std::fs::read_to_string(dir.path().join("stored")).unwrap();
    let stored: BTreeSet<&str> = stored.lines().collect();
    let keys: Vec<String> = keys().collect();
    let expected: BTreeSet<&str> = keys.iter().map(String::as_str).filter(|key| *key != DEADLY).collect();
    assert_eq!(stored, expected);
    check_letters(dir.path());
}

fn keys() -> impl Iterator<Item = String> {
    (0..PARTITIONS).flat_map(|partition| (0..RECORDS).map(move |n| format!("{partition}/{n}")))
}

fn open(dir: &Path) -> Arc<EmbeddedBroker> {
    Arc::new(EmbeddedBroker::open(&dir.join("log"), EmbeddedSettings::default()).unwrap())
}

#[tokio::main(flavor = "current_thread")]
async fn fill(dir: &Path) {
    let broker = open(dir);
    broker.create_topic(&TopicSpec::new("t", PARTITIONS)).await.unwrap();
    broker.create_topic(&TopicSpec::new("dead", 1)).await.unwrap();
    let record = |key: String| Append {
        partition: key.split('/').next().map(|partition| partition.parse().unwrap()),
        value: Some(format!("value of {key}").into()),
        key: Some(key.into()),
        ..Append::default()
    };
    broker.producer().unwrap().append("t", keys().map(record).collect()).await.unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn check_letters(dir: &Path) {
    let broker = open(dir);
    let mut cursor = broker.cursor("dead", &[(0, 0)]).unwrap();
    let letters = cursor.fetch(10, std::time::Duration::ZERO).await.unwrap().unwrap().records;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].key.as_deref(), Some(DEADLY.as_bytes()));
    assert_eq!(letters[0].value.as_deref(), Some(format!("value of {DEADLY}").as_bytes()));
    let reason = letters[0].headers.last(dead_letter::ERROR_REASON).unwrap();
    assert_eq!(reason, "killed its worker 3 times while it was alone in flight");
    assert_eq!(broker.committed("g", "t").await.unwrap(), [Some(RECORDS); PARTITIONS as usize]);
}

/// The process that dies: two tasks of a spout, to the end of the log.
fn work(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let code = runtime.block_on(async {
        let stored = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("stored")).unwrap();
        let settings = LogSpoutSettings {
            bounded: true,
            dead_letters: Some("dead".into()),
            ..LogSpoutSettings::new("t", GroupSettings::new("g"))
        };
        let t = Topology::new("abort");
        t.spout_with("log", Tuning::default().parallelism(2).batch(50), LogSpout::new(open(dir), settings))
            .shuffle()
            .bolt("fragile", Fragile)
            .sink("file", File(Arc::new(stored)));
        start(t, &Settings::default(), Default::default()).unwrap().wait().await.exit_code()
    });
    assert_eq!(code, 0);
}

fn run_child(dir: &Path) -> ExitStatus {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", NAME, "--nocapture", "--test-threads=1"]).env(CHILD, dir);
    child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
}
