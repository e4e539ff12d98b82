//! What was promised is on the disk, not only with the kernel: `kill -9` does not tell the two apart, a power cut does.
//! So a process promises one record after the other, and `strace` sees whether each was synced before.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::super::{DurableProducer, DurableSettings, SpillSettings};
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

async fn promise(dir: &Path, place: &str) {
    let log = Arc::new(Log::default());
    log.away(true);
    let (embedded, producer): (_, Arc<dyn Producer>) = match place {
        "log" => {
            let embedded = EmbeddedBroker::open(&dir.join("log"), EmbeddedSettings::default()).unwrap();
            embedded.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
            let producer = embedded.producer().unwrap();
            (Some(embedded), producer)
        }
        _ => (None, Arc::new(ToLog(log))),
    };
    let spill = SpillSettings { sync: place != "nowhere", ..SpillSettings::new(dir.join("spill")) };
    let producer = DurableProducer::open(producer, DurableSettings::new(spill), Clock::new()).await.unwrap();
    for n in 0..RECORDS {
        producer.append("t", vec![record(n.to_string())], soon()).await.unwrap();
        // In one call, which is what is looked for.
        std::io::stdout().write_all(format!("{PROMISE} {n}\n").as_bytes()).unwrap();
    }
    drop((producer, embedded));
}

/// How many files were synced before each promise and after the one before it.
fn syncs(place: &str) -> Vec<usize> {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "16", "-e", "trace=fsync,fdatasync,write", "-o"]).arg(&trace);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "--test-threads=1", "service::spill::tests::synced::child"]);
    command.env(DIR, dir.path()).env(WHERE, place).stdout(Stdio::null());
    assert!(command.status().expect("`scripts/install.sh test` installs strace").success());
    let (mut syncs, mut synced) = (Vec::new(), 0);
    for line in std::fs::read_to_string(&trace).unwrap().lines() {
        // The line of a call that has ended, whole or resumed.
        if line.contains("sync") && line.ends_with("= 0") {
            synced += 1;
        } else if line.contains(&format!("write(1, \"{PROMISE}")) {
            syncs.push(std::mem::take(&mut synced));
        }
    }
    syncs
}

#[test]
fn nothing_is_promised_before_it_is_synced() {
    for place in ["log", "spill"] {
        let syncs = syncs(place);
        assert_eq!(syncs.len(), RECORDS);
        assert!(syncs.iter().all(|synced| *synced > 0), "{place}: {syncs:?}");
    }
    // Does it see what is missing?
    let without = syncs("nowhere");
    assert!(without.len() == RECORDS && without[1..].iter().all(|synced| *synced == 0), "{without:?}");
}
