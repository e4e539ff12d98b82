//! `kill -9` of a process whose log is away, or comes and goes: what was promised is in the log after the next start.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::{DurableProducer, DurableSettings, SpillSettings};
use super::{record, soon, text};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, Broker, BrokerError, Position, Producer, TopicSpec};
use crate::guard::Clock;
use crate::topology::BoxFuture;

const DIR: &str = "SQUALL_TEST_SPILL_KILL";
const FLAPS: &str = "SQUALL_TEST_SPILL_KILL_FLAPS";
const ROUNDS: usize = 4;
const WRITERS: u32 = 4;

/// The process that is killed. Does nothing unless one of the tests below starts it.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let flaps = std::env::var_os(FLAPS).is_some();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(append_until_killed(Path::new(&dir), flaps));
}

#[test]
fn what_was_promised_is_drained_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let promised = run_children(dir.path(), false);
    let first = drained(dir.path());
    let lost: Vec<_> = promised.iter().filter(|text| !first.contains_key(*text)).collect();
    assert!(lost.is_empty(), "{} of {} promised records are lost: {lost:?}", lost.len(), promised.len());
    // Each writer waited for one before it sent the next.
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for text in &promised {
        let (writer, at) = (text.rsplit_once('/').unwrap().0, first[text]);
        assert!(last.insert(writer, at).is_none_or(|before| before < at), "{text} came before an earlier one");
    }
}

#[test]
fn nothing_promised_is_lost_while_the_log_comes_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let promised = run_children(dir.path(), true);
    let first = drained(dir.path());
    let lost: Vec<_> = promised.iter().filter(|text| !first.contains_key(*text)).collect();
    assert!(lost.is_empty(), "{} of {} promised records are lost: {lost:?}", lost.len(), promised.len());
}

/// Small, so that segments begin and end all the time.
async fn open(dir: &Path, away: &Arc<AtomicBool>) -> (EmbeddedBroker, DurableProducer) {
    let log = EmbeddedBroker::open(&dir.join("log"), EmbeddedSettings::default()).unwrap();
    log.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    let producer = Arc::new(Gate { log: log.producer().unwrap(), away: away.clone() });
    let spill = SpillSettings { max_bytes: 4 * 1024 * 1024, ..SpillSettings::new(dir.join("spill")) };
    let mut settings = DurableSettings { drain_retry: Duration::from_millis(2), ..DurableSettings::new(spill) };
    settings.breaker.open_for = Duration::from_millis(5);
    settings.breaker.open_for_max = Duration::from_millis(5);
    let producer = DurableProducer::open(producer, settings, Clock::new()).await.unwrap();
    (log, producer)
}

async fn append_until_killed(dir: &Path, flaps: bool) {
    let away = Arc::new(AtomicBool::new(true));
    let (_log, producer) = open(dir, &away).await;
    let producer = Arc::new(producer);
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (producer, run) = (producer.clone(), std::process::id());
        tasks.spawn(async move {
            for n in 0_u64.. {
                let text = format!("{run}-{writer}/{n}");
                let padded = format!("{text:.<800}");
                if producer.append("t", vec![record(padded)], soon()).await.is_ok() {
                    writeln!(std::io::stdout(), "promised {text}").unwrap();
                }
            }
        });
    }
    if flaps {
        tasks.spawn(flap(away));
    }
    tasks.join_all().await;
}

async fn flap(away: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        away.fetch_xor(true, Ordering::SeqCst);
    }
}

/// What the children promised, each killed at another moment.
fn run_children(dir: &Path, flaps: bool) -> Vec<String> {
    let mut promised = Vec::new();
    for round in 0..ROUNDS {
        let (before, wanted) = (promised.len(), 150 + 150 * round);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--nocapture", "service::spill::tests::kill::child"]).env(DIR, dir);
        if flaps {
            command.env(FLAPS, "1");
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (mut out, mut line) = (BufReader::new(child.stdout.take().unwrap()), String::new());
        while out.read_line(&mut line).unwrap() > 0 {
            // The test harness says things of its own; the last line may be cut by the kill.
            if let Some((_, text)) = line.strip_suffix('\n').and_then(|line| line.split_once("promised ")) {
                promised.push(text.to_owned());
                if promised.len() - before == wanted {
                    child.kill().unwrap();
                }
            }
            line.clear();
        }
        child.wait().unwrap();
        assert!(promised.len() - before >= wanted, "the child ended by itself");
    }
    promised
}

/// What is in the log once the spill is drained, with where it stands first.
#[tokio::main(flavor = "current_thread")]
async fn drained(dir: &Path) -> BTreeMap<String, usize> {
    let (log, producer) = open(dir, &Arc::default()).await;
    let waiting = async {
        while producer.status().spill.records > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it is drained");
    producer.close().await;
    let latest = log.bounds("t").await.unwrap()[0].latest;
    let mut cursor = log.cursor("t", &[(0, 0)]).unwrap();
    let mut first = BTreeMap::new();
    while cursor.position(0).unwrap() < latest {
        for read in cursor.fetch(1000, Duration::ZERO).await.unwrap().unwrap().records {
            let append = Append { value: read.value, ..Append::default() };
            let at = read.origin.offset as usize;
            first.entry(text(&append).trim_end_matches('.').to_owned()).or_insert(at);
        }
    }
    first
}

/// A log that is away at times.
struct Gate {
    log: Arc<dyn Producer>,
    away: Arc<AtomicBool>,
}

impl Producer for Gate {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        match self.away.load(Ordering::SeqCst) {
            true => {
                Box::pin(async { Err(BrokerError::Unreachable { address: "here".into(), reason: "away".into() }) })
            }
            false => self.log.append(topic, records),
        }
    }
}
