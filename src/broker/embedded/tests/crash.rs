//! What a process leaves that was killed.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::{EmbeddedBroker, EmbeddedSettings};
use super::{append, open, read_all, record, text};
use crate::broker::{Append, Broker, Position, TopicSpec};

const CHILD: &str = "SQUALL_TEST_EMBEDDED_CRASH";
const ROUNDS: u32 = 5;
const WRITERS: u32 = 4;

/// A child of this test appends and says what was acknowledged until it is killed, five times over the same data.
#[test]
fn kill_loses_nothing_acknowledged_and_leaves_no_half_batch() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return child(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut log = BTreeMap::new();
    let mut state = BTreeMap::new();
    for round in 0..ROUNDS {
        let lines = 20 + (RandomState::new().hash_one(round) % 400) as usize;
        for line in run_child(dir.path(), lines) {
            let fields: Vec<&str> = line.split(' ').collect();
            match fields[..] {
                ["log", partition, offset, value] => {
                    let place = (partition.parse::<u32>().unwrap(), offset.parse::<u64>().unwrap());
                    assert_eq!(log.insert(place, value.to_owned()), None, "an offset was acknowledged twice");
                }
                ["state", key, value] => drop(state.insert(key.to_owned(), value.parse::<u64>().unwrap())),
                _ => panic!("what is {line:?}"),
            }
        }
        check(dir.path(), &log, &state);
    }
    assert!(log.len() > 100 && state.len() == 10, "the children did nothing: {} {}", log.len(), state.len());
}

/// The directory as it stands while the log is open is what a power cut would leave.
#[tokio::test]
async fn an_open_log_can_be_opened_from_a_copy_with_all_that_was_acknowledged() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let broker = open(dir.path(), true);
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    for call in 0..50 {
        append(&broker, "t", (0..7).map(|n| record(format!("{call}/{n}"))).collect()).await;
    }
    broker.reset("g", "t", &[(0, 11)]).await.unwrap();
    copy_dir(dir.path(), copy.path());
    let read = read_all(&open(copy.path(), true), "t").await;
    assert_eq!(read, read_all(&broker, "t").await);
    assert_eq!(read.len(), 350);
    assert_eq!(open(copy.path(), true).committed("g", "t").await.unwrap(), [Some(11)]);
}

/// A journal that ends anywhere gives back whole calls, the oldest first.
#[tokio::test]
async fn a_cut_journal_gives_back_whole_calls() {
    let dir = tempfile::tempdir().unwrap();
    {
        let broker = open(dir.path(), true);
        broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
        for call in 0..20 {
            append(&broker, "t", (0..7).map(|n| record(format!("{call}/{n}"))).collect()).await;
        }
    }
    let path = dir.path().join("log/0.jnl");
    let mut journal = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    // Room that the engine reserved follows the last entry.
    let end = journal.iter().rposition(|b| *b != 0).unwrap() + 1;
    journal.truncate(end);
    let mut kept = Vec::new();
    for cut in (0..end).rev().step_by(end / 12) {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        std::fs::write(copy.path().join("log/0.jnl"), &journal[..cut]).unwrap();
        let broker = open(copy.path(), true);
        let read = match broker.topic("t").await.unwrap() {
            Some(_) => read_all(&broker, "t").await,
            None => Vec::new(),
        };
        assert_eq!(read.len() % 7, 0, "a half call after a cut at {cut} of {end}");
        for (at, record) in read.iter().enumerate() {
            assert_eq!(text(record), format!("{}/{}", at / 7, at % 7));
        }
        kept.push(read.len());
    }
    assert!(kept.is_sorted_by(|a, b| a >= b) && kept[0] > kept[11], "the cuts did nothing: {kept:?}");
}

/// A full disk or a kill cuts an entry at any byte; what follows is the room that the engine reserved.
#[tokio::test]
async fn a_journal_cut_inside_its_last_entry_gives_back_all_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log/0.jnl");
    let broker = open(dir.path(), true);
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    append(&broker, "t", vec![record("kept"); 3]).await;
    let used = || std::fs::read(&path).unwrap().iter().rposition(|b| *b != 0).unwrap() + 1;
    let begin = used();
    append(&broker, "t", vec![record("cut")]).await;
    let end = used();
    drop(broker);
    let mut journal = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    journal.truncate(end + 4096);
    for cut in (begin..end).rev() {
        journal[cut] = 0;
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        std::fs::write(copy.path().join("log/0.jnl"), &journal).unwrap();
        let broker = open(copy.path(), false);
        assert_eq!(read_all(&broker, "t").await.len(), 3, "cut at {cut} in {begin}..{end}");
        assert_eq!(append(&broker, "t", vec![record("again")]).await[0].offset, 3);
        drop(broker);
        assert_eq!(read_all(&open(copy.path(), false), "t").await.len(), 4, "cut at {cut} in {begin}..{end}");
    }
}

/// Appends with four tasks to a plain and a compacted topic, upkeep running all the time, until it is killed.
fn child(dir: &Path) {
    let settings = EmbeddedSettings {
        upkeep_interval: Some(Duration::from_millis(2)),
        compaction_keys: 3,
        tombstone_retention: Duration::ZERO,
        ..EmbeddedSettings::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = EmbeddedBroker::open(dir, settings).unwrap();
        broker.create_topic(&TopicSpec::new("log", 3)).await.unwrap();
        broker.create_topic(&TopicSpec::new("state", 1).compacted()).await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write_log(broker.clone(), writer));
        }
        writers.spawn(write_state(broker));
        writers.join_all().await;
    });
}

async fn write_log(broker: EmbeddedBroker, writer: u32) {
    for call in 0_u64.. {
        let size = 1 + (call % 9);
        let id = RandomState::new().hash_one(call);
        let batch: Vec<Append> = (0..size)
            .map(|n| Append { partition: Some(writer % 3), ..record(format!("{id:x}/{n}/{size}")) })
            .collect();
        let positions = append(&broker, "log", batch).await;
        let lines = positions
            .iter()
            .enumerate()
            .map(|(n, Position { partition, offset })| format!("log {partition} {offset} {id:x}/{n}/{size}\n"));
        say(&lines.collect::<String>());
    }
}

async fn write_state(broker: EmbeddedBroker) {
    let first = broker.bounds("state").await.unwrap()[0].latest;
    for n in first.. {
        let (key, value) = (format!("k{}", n % 10), n.to_string());
        append(&broker, "state", vec![Append { key: Some(key.clone().into()), ..record(value) }]).await;
        say(&format!("state {key} {n}\n"));
    }
}

fn say(lines: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(lines.as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// The whole lines that a child says before it is killed, which happens at line number `lines`.
fn run_child(dir: &Path, lines: usize) -> Vec<String> {
    let name = "broker::embedded::tests::crash::kill_loses_nothing_acknowledged_and_leaves_no_half_batch";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        // The test harness says things of its own; the last line may be cut by the kill.
        let ours = line.ends_with('\n') && ["log ", "state "].iter().any(|start| line.starts_with(start));
        if ours {
            said.push(line.trim_end().to_owned());
        }
        if said.len() == lines {
            child.kill().unwrap();
        }
        line.clear();
    }
    child.wait().unwrap();
    assert!(said.len() >= lines, "the child ended by itself after {} lines", said.len());
    said
}

#[tokio::main(flavor = "current_thread")]
async fn check(dir: &Path, log: &BTreeMap<(u32, u64), String>, state: &BTreeMap<String, u64>) {
    let broker = open(dir, true);
    let mut missing = log.clone();
    let mut calls: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for bounds in broker.bounds("log").await.unwrap() {
        let mut cursor = broker.cursor("log", &[(bounds.partition, 0)]).unwrap();
        let mut next = 0;
        while next < bounds.latest {
            for record in cursor.fetch(1000, Duration::ZERO).await.unwrap().unwrap().records {
                assert_eq!(record.origin.offset, next, "a hole in partition {}", bounds.partition);
                next += 1;
                let value = text(&record);
                if let Some(acknowledged) = missing.remove(&(bounds.partition, record.origin.offset)) {
                    assert_eq!(acknowledged, value);
                }
                let (call, size) = (value.split('/').next().unwrap(), value.rsplit('/').next().unwrap());
                let entry = calls.entry(call.to_owned()).or_insert((0, size.parse().unwrap()));
                entry.0 += 1;
            }
        }
    }
    assert!(missing.is_empty(), "{} acknowledged records are lost: {missing:?}", missing.len());
    for (call, (found, size)) in calls {
        assert_eq!(found, size, "call {call} is there by half");
    }
    let mut newest = BTreeMap::new();
    for record in read_all(&broker, "state").await {
        let key = String::from_utf8(record.key.as_deref().unwrap().to_vec()).unwrap();
        newest.insert(key, (record.origin.offset, text(&record).parse::<u64>().unwrap()));
    }
    for (key, acknowledged) in state {
        let (offset, value) = newest[key];
        assert!(value >= *acknowledged, "{key} is {value} and was acknowledged as {acknowledged}");
        assert_eq!(offset, value, "{key} keeps its offset");
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
