//! Workers that die, and the records that kill them. A death is the whole runtime dropped in the middle of its work.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Log, Store, Stored, block_on, bounded};
use crate::broker::{
    Broker, ConsumerEvent, GroupSettings, LogRecord, LogSpout, LogSpoutSettings, Note, dead_letter,
};
use crate::runtime::{Options, Report, start};
use crate::testing::Trial;
use crate::topology::{Bolt, Emitter, Result, Settings, Topology, Tuning};

const RECORDS: u64 = 300;

/// Kills its worker at some records.
#[derive(Clone)]
struct Killer {
    at: Vec<(u32, u64)>,
    death: Arc<Notify>,
    /// What killed, in order.
    killed: Arc<Mutex<Vec<(u32, u64)>>>,
}

impl Killer {
    fn at(places: &[(u32, u64)]) -> Self {
        Self { at: places.to_vec(), death: Arc::default(), killed: Arc::default() }
    }
}

impl Bolt for Killer {
    type In = LogRecord;
    type Out = LogRecord;

    async fn execute(&mut self, record: &LogRecord, out: &mut Emitter<LogRecord>) -> Result<()> {
        let place = (record.origin.partition, record.origin.offset);
        if self.at.contains(&place) {
            self.killed.lock().unwrap().push(place);
            self.death.notify_one();
            std::future::pending::<()>().await;
        }
        out.emit(record.clone());
        Ok(())
    }
}

pub(super) fn small() -> Settings {
    Settings { defaults: Tuning::default().batch(20).max_pending(4).rows(7), ..Settings::default() }
}

fn careful(topic: &str) -> LogSpoutSettings {
    LogSpoutSettings { careful_records: 80, dead_letters: Some("dead".into()), ..bounded(topic) }
}

fn topology(spout: LogSpout, tasks: usize, killer: &Killer, stored: &Stored) -> Topology {
    let t = Topology::new("deaths");
    t.spout_with("log", Tuning::default().parallelism(tasks), spout)
        .shuffle()
        .bolt("killer", killer.clone())
        .shuffle()
        .sink("store", Store(stored.clone(), Duration::from_millis(3)));
    t
}

/// Runs until the end, or the death.
fn live(topology: Topology, settings: &Settings, death: impl Future<Output = ()>) -> Option<Report> {
    live_with(topology, settings, Options::default(), death)
}

/// The same with faults.
pub(super) fn live_with(
    topology: Topology,
    settings: &Settings,
    options: Options,
    death: impl Future<Output = ()>,
) -> Option<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let running = start(topology, settings, options).unwrap();
        tokio::select! {
            report = running.wait() => Some(report),
            () = death => None,
        }
    })
}

/// Origins of the dead letters, sorted.
fn letters(log: &Log) -> Vec<(u32, u64)> {
    let number = |record: &LogRecord, name: &str| -> u64 {
        std::str::from_utf8(record.headers.last(name).unwrap()).unwrap().parse().unwrap()
    };
    let place = |record: &LogRecord| {
        (number(record, dead_letter::ORIGIN_PARTITION) as u32, number(record, dead_letter::ORIGIN_OFFSET))
    };
    let mut places: Vec<_> = log.records("dead").iter().map(place).collect();
    places.sort_unstable();
    places
}

/// Starts workers until one comes to the end; returns how many.
fn starts(log: &Log, tasks: usize, killer: &Killer, most: u32) -> u32 {
    let checked = log.checked();
    for count in 1..=most {
        let spout = LogSpout::new(Arc::new(checked.clone()), careful("t"));
        let ended = live(topology(spout, tasks, killer, &checked.stored), &small(), killer.death.notified());
        checked.assert_kept();
        if let Some(report) = ended {
            assert_eq!(report.exit_code(), 0, "{report:?}");
            let stored = checked.stored.lock().unwrap();
            let missing = |place: &(u32, u64)| stored.get(place).is_none_or(|times| *times == 0);
            let all = (0..2).flat_map(|partition| (0..RECORDS).map(move |offset| (partition, offset)));
            assert_eq!(all.filter(missing).collect::<Vec<_>>(), killer.at, "all others are stored");
            return count;
        }
    }
    panic!("after {most} starts there is no end; it died at {:?}", killer.killed.lock().unwrap());
}

fn open() -> Log {
    let log = Log::open();
    log.fill("t", 2, RECORDS);
    log.fill("dead", 1, 0);
    log
}

#[test]
fn a_record_that_kills_its_worker_is_set_aside_and_the_others_are_stored() {
    let log = open();
    let killer = Killer::at(&[(1, 47)]);
    // At random, in its batch, and three times alone.
    assert_eq!(starts(&log, 1, &killer, 6), 6);
    assert_eq!(*killer.killed.lock().unwrap(), [(1, 47); 5]);
    assert_eq!(letters(&log), [(1, 47)]);
    let letter = &log.records("dead")[0];
    let header = |name: &str| std::str::from_utf8(letter.headers.last(name).unwrap()).unwrap().to_owned();
    assert_eq!(header(dead_letter::ERROR_CLASS), "poison");
    assert_eq!(header(dead_letter::ERROR_REASON), "killed its worker 3 times while it was alone in flight");
    assert_eq!(header(dead_letter::ATTEMPTS), "3");
    assert_eq!((header("colour"), letter.value.as_deref()), ("red".to_owned(), Some(&b"47"[..])));
    assert_eq!(log.committed("t"), [Some(RECORDS); 2]);
    // The next worker finds everything in order.
    assert_eq!(notes(&log, "t"), [Note::Clean; 2]);
}

#[test]
fn killers_of_several_tasks_are_not_mistaken_for_their_neighbours() {
    for tasks in [1, 2] {
        let log = open();
        // First and last of all, two side by side, and both partitions at once.
        let killer = Killer::at(&[(0, 0), (0, 100), (0, 101), (1, 0), (1, 99), (1, RECORDS - 1)]);
        let count = starts(&log, tasks, &killer, 60);
        assert_eq!(letters(&log), killer.at, "{tasks} tasks, {count} starts");
        assert_eq!(log.committed("t"), [Some(RECORDS); 2]);
    }
}

#[test]
fn without_a_dead_letter_topic_the_run_stops_before_the_killer() {
    let log = open();
    let (checked, killer) = (log.checked(), Killer::at(&[(0, 33)]));
    let report = (0..6).find_map(|_| {
        let settings = LogSpoutSettings { dead_letters: None, ..careful("t") };
        let spout = LogSpout::new(Arc::new(checked.clone()), settings);
        live(topology(spout, 1, &killer, &checked.stored), &small(), killer.death.notified())
    });
    let report = report.expect("the sixth start does not die");
    let text = format!("{:?}", report.ended);
    assert!(text.contains("t[0]@33 killed its worker 3 times") && text.contains("no dead-letter topic"), "{text}");
    assert_eq!(log.committed("t")[0], Some(33));
    // Nothing changes with one start more.
    let spout = LogSpout::new(Arc::new(checked.clone()), careful("t"));
    assert!(live(topology(spout, 1, &killer, &checked.stored), &small(), killer.death.notified()).is_some());
    assert_eq!(letters(&log), [(0, 33)]);
}

#[test]
fn kills_at_any_moment_blame_nobody() {
    let mut killed = 0;
    for seed in 1..=40_u64 {
        let log = open();
        let (checked, killer) = (log.checked(), Killer::at(&[]));
        let mut draw = seed;
        let report = (0..400).find_map(|_| {
            draw = draw.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            // Time enough for the first record: one that is caught alone three times in a row is blamed.
            let after = Duration::from_millis(20 + (draw >> 33) % 60);
            let spout = LogSpout::new(Arc::new(checked.clone()), careful("t"));
            let t = topology(spout, 1 + seed as usize % 2, &killer, &checked.stored);
            let ended = live(t, &small(), async move { tokio::time::sleep(after).await });
            checked.assert_kept();
            killed += u32::from(ended.is_none());
            ended
        });
        assert_eq!(report.expect("it comes to an end").exit_code(), 0);
        assert_eq!(letters(&log), [], "seed {seed}");
        assert_eq!(checked.stored.lock().unwrap().len() as u64, 2 * RECORDS, "seed {seed}");
    }
    assert!(killed > 100, "only {killed} kills hit something");
}

#[test]
fn a_stop_in_order_is_no_death() {
    let log = open();
    let checked = log.checked();
    for _ in 0..3 {
        let spout = LogSpout::new(Arc::new(checked.clone()), LogSpoutSettings { bounded: false, ..careful("t") });
        let t = topology(spout, 2, &Killer::at(&[]), &checked.stored);
        Trial::default().settings(small()).run_with(t, |stop| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            stop.stop();
        });
        assert_eq!(notes(&log, "t"), [Note::Clean; 2]);
    }
    assert!((checked.stored.lock().unwrap().len() as u64) < 2 * RECORDS);
}

/// The notes that the next member of the group finds.
fn notes(log: &Log, topic: &str) -> Vec<Note> {
    block_on(async {
        let mut consumer = log.broker.subscribe(topic, &GroupSettings::new("g")).unwrap();
        match consumer.poll(1).await.unwrap() {
            ConsumerEvent::Assigned(granted) => granted.into_iter().map(|granted| granted.note).collect(),
            event => panic!("{event:?}"),
        }
    })
}
