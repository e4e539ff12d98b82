//! What was promised is on the disk, not only with the kernel: `kill -9` does not tell the two apart, a power cut does.
//! So a process promises one record after the other, and `strace` sees whether before each a file was written and then synced.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::super::{Durable, DurableProducer, DurableSettings, SpillSettings};
use super::{Log, ToLog, record, soon};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Broker, Producer, TopicSpec};
use crate::guard::Clock;

const DIR: &str = "SQUALL_TEST_SYNCED_DIR";
const WHERE: &str = "SQUALL_TEST_SYNCED_WHERE";
const RECORDS: usize = 30;
const PROMISE: &str = "promised";

/// The process that is looked at. Does nothing unless the test below starts it.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let place = std::env::var(WHERE).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(promise(Path::new(&dir), &place));
}

/// Promises records whose place is the log or the spill, synced or not.
async fn promise(dir: &Path, place: &str) {
    let sync = !place.starts_with("unsynced ");
    let (expected, producer): (_, Arc<dyn Producer>) = if place.ends_with("log") {
        let settings = EmbeddedSettings { sync, ..EmbeddedSettings::default() };
        let log = EmbeddedBroker::open(&dir.join("log"), settings).unwrap();
        log.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
        (Durable::Log, log.producer().unwrap())
    } else {
        let log = Arc::new(Log::default());
        log.away(true);
        (Durable::Spill, Arc::new(ToLog(log)))
    };
    let spill = SpillSettings { sync, ..SpillSettings::new(dir.join("spill")) };
    let producer = DurableProducer::open(producer, DurableSettings::new(spill), Clock::new()).await.unwrap();
    for n in 0..RECORDS {
        assert_eq!(producer.append("t", vec![record(n.to_string())], soon()).await.unwrap(), expected);
        // In one call, which is what is looked for.
        std::io::stdout().write_all(format!("{PROMISE} {n}\n").as_bytes()).unwrap();
    }
}

/// Of each promise, whether a file was written and then synced after the one before it.
fn synced(place: &str) -> Vec<bool> {
    let dir = tempfile::tempdir().unwrap();
    promises(&trace(place, dir.path()), dir.path().to_str().unwrap())
}

/// What the system was asked for while records were promised in `dir`.
fn trace(place: &str, dir: &Path) -> String {
    let trace = dir.join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-s", "16", "-e", "trace=fsync,fdatasync,write,writev,pwrite64", "-o"]);
    command.arg(&trace).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "--test-threads=1", "service::spill::tests::synced::child"]);
    command.env(DIR, dir).env(WHERE, place).stdout(Stdio::null());
    assert!(command.status().expect("`scripts/install.sh test` installs strace").success());
    std::fs::read_to_string(&trace).unwrap()
}

/// A line is `<thread> fdatasync(5</the/path>) = 0`; a call during which others are seen has two, of which the second,
/// `<thread> <... fdatasync resumed>) = 0`, does not name the file.
fn promises(trace: &str, dir: &str) -> Vec<bool> {
    let (mut promises, mut written, mut synced) = (Vec::new(), BTreeSet::new(), false);
    let mut under_way: BTreeMap<&str, &str> = BTreeMap::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        let file = call.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(file, _)| file);
        let has_ended = call.ends_with("= 0");
        if call.starts_with("write") && call.contains(&format!("\"{PROMISE} ")) {
            promises.push(std::mem::take(&mut synced));
            written.clear();
        } else if (call.starts_with("write") || call.starts_with("pwrite")) && file.starts_with(dir) {
            written.insert(file);
        } else if call.starts_with("fdatasync(") || call.starts_with("fsync(") {
            synced |= has_ended && written.contains(file);
            if !has_ended && written.contains(file) {
                under_way.insert(thread, file);
            }
        } else if call.contains("sync resumed>") {
            synced |= under_way.remove(thread).is_some() && has_ended;
        }
    }
    promises
}

#[test]
fn nothing_is_promised_before_it_is_synced() {
    for place in ["log", "spill"] {
        assert_eq!(synced(place), [true; RECORDS], "{place}");
        // Does it see what is missing?
        assert_eq!(synced(&format!("unsynced {place}"))[1..], [false; RECORDS - 1], "{place}");
    }
}

/// A file that is synced is there after a power cut only if the names of all folders on its way are, whoever made them.
#[test]
fn the_folders_on_the_way_to_the_spill_are_synced() {
    let dir = tempfile::tempdir().unwrap();
    // Somebody has created them, and was cut from his power before he could sync the names.
    let data = dir.path().join("data");
    std::fs::create_dir_all(data.join("spill")).unwrap();
    let trace = trace("spill", &data);
    for folder in data.ancestors().take(2) {
        let is_it = |line: &str| line.contains("fsync(") && line.contains(&format!("<{}>", folder.display()));
        let at = trace.lines().position(is_it).unwrap_or_else(|| panic!("{} is not synced", folder.display()));
        let first = trace.lines().position(|line| line.contains(&format!("\"{PROMISE} "))).unwrap();
        assert!(at < first);
    }
}

#[test]
fn a_sync_of_another_file_and_one_before_the_write_count_for_nothing() {
    let trace = r#"7 write(3</d/a>, "x"..., 9) = 9
7 fdatasync(3</d/a>) = 0
7 write(1</dev/null>, "promised 0\n", 11) = 11
7 fdatasync(3</d/a>) = 0
7 write(3</d/a>, "x"..., 9) = 9
8 fdatasync(4</d/b>) = 0
7 write(1</dev/null>, "promised 1\n", 11) = 11
7 write(3</d/a>, "x"..., 9) = 9
8 fdatasync(3</d/a> <unfinished ...>
7 write(2</dev/null>, "y", 1) = 1
8 <... fdatasync resumed>) = 0
7 write(1</dev/null>, "promised 2\n", 11) = 11
"#;
    assert_eq!(promises(trace, "/d/"), [true, false, true]);
}
