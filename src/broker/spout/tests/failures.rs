//! Poison, and failures that do not end.

use std::sync::Arc;
use std::time::Duration;

use super::{Log, Pass, Store, bounded, counts, offsets, over};
use crate::broker::{LogRecord, LogSpout, LogSpoutSettings, dead_letter};
use crate::runtime::{Ended, Report};
use crate::testing::{Faults, Trial};
use crate::topology::{Class, Either, Settings, Topology, Tuning};

/// One run of ten records, no tries in place.
fn settings() -> Settings {
    Settings { defaults: Tuning::default().batch(10).retries(0), ..Settings::default() }
}

fn fails_at(offset: u64, class: Class, times: u32) -> Faults {
    Faults::default().fail("pass", move |record: &LogRecord| record.origin.offset == offset, class, times)
}

/// Offsets that were never stored; those of dead letters count as none.
fn not_stored(counts: &[u32]) -> Vec<usize> {
    counts.iter().enumerate().filter(|(_, times)| **times == 0).map(|(offset, _)| offset).collect()
}

fn failure_of(report: &Report) -> String {
    match &report.ended {
        Ended::Failed { operator, error } if operator == "log" => error.to_string(),
        other => panic!("not failed by the spout: {other:?}"),
    }
}

#[test]
fn a_poison_record_becomes_one_dead_letter_and_its_neighbours_are_stored() {
    let log = Log::open();
    log.fill("t", 1, 30);
    log.fill("dead", 1, 0);
    let checked = log.checked();
    let spout = LogSpoutSettings { dead_letters: Some("dead".into()), ..bounded("t") };
    let faults = fails_at(14, Class::Poison, u32::MAX);
    let report = Trial::default().settings(settings()).faults(faults).run(over(&checked, spout));
    assert_eq!(report.exit_code(), 0, "{report:?}");
    checked.assert_kept();
    let letters = log.records("dead");
    assert_eq!(letters.len(), 1);
    let header = |name: &str| std::str::from_utf8(letters[0].headers.last(name).unwrap()).unwrap().to_owned();
    assert_eq!(header(dead_letter::ORIGIN_TOPIC), "t");
    assert_eq!(header(dead_letter::ORIGIN_PARTITION), "0");
    assert_eq!(header(dead_letter::ORIGIN_OFFSET), "14");
    assert_eq!(header(dead_letter::ERROR_CLASS), "poison");
    assert!(!header(dead_letter::ERROR_REASON).is_empty());
    assert_eq!(header(dead_letter::ATTEMPTS), "2", "once with its run, once alone");
    assert_eq!(header("colour"), "red");
    assert_eq!(letters[0].key.as_deref(), Some(&b"k14"[..]));
    assert_eq!(letters[0].value.as_deref(), Some(&b"14"[..]));
    assert_eq!(header(dead_letter::ORIGIN_TIME), "14000");
    let counts = counts(&checked.stored);
    assert_eq!(counts[14], 0);
    assert!(counts.iter().enumerate().all(|(offset, times)| offset == 14 || *times >= 1), "{counts:?}");
    assert_eq!(log.committed("t"), [Some(30)]);
}

#[test]
fn poison_behind_an_exchange_is_not_blamed_on_its_neighbours() {
    for (operator, panics) in [("second", false), ("second", true), ("store", false), ("store", true)] {
        let log = Log::open();
        log.fill("t", 1, 300);
        log.fill("dead", 1, 0);
        let checked = log.checked();
        let spout = LogSpoutSettings { dead_letters: Some("dead".into()), ..bounded("t") };
        let t = Topology::new("lanes");
        t.spout("log", LogSpout::new(Arc::new(checked.clone()), spout))
            .bolt("pass", Pass)
            .fields_by(|record: &LogRecord| record.origin.offset)
            .parallelism(2)
            .bolt("second", Pass)
            .fields_by(|record: &LogRecord| record.origin.offset)
            .parallelism(2)
            .sink("store", Store(checked.stored.clone(), Duration::ZERO));
        let is_bad = |record: &LogRecord| record.origin.offset == 150 || record.origin.offset == 151;
        let faults = if panics {
            Faults::default().panic(operator, is_bad, u32::MAX)
        } else {
            Faults::default().fail(operator, is_bad, Class::Poison, u32::MAX)
        };
        let report = Trial::default().settings(settings()).faults(faults).run(t);
        assert_eq!(report.exit_code(), 0, "{report:?}");
        let of = |record: &LogRecord| record.headers.last(dead_letter::ORIGIN_OFFSET).unwrap().clone();
        let mut letters: Vec<_> = log.records("dead").iter().map(of).collect();
        letters.sort();
        assert_eq!(letters, ["150", "151"], "poison in {operator}");
        assert_eq!(not_stored(&counts(&checked.stored)), [150, 151]);
        assert_eq!(log.committed("t"), [Some(300)]);
    }
}

#[test]
fn a_record_that_panics_a_fused_closure_is_a_dead_letter() {
    let log = Log::open();
    log.fill("t", 1, 100);
    log.fill("dead", 1, 0);
    let checked = log.checked();
    let spout = LogSpoutSettings { dead_letters: Some("dead".into()), ..bounded("t") };
    let t = Topology::new("fused");
    let explode = |record: LogRecord| {
        assert!(record.origin.offset != 42, "no forty-two");
        record
    };
    let (left, right) = t
        .spout("log", LogSpout::new(Arc::new(checked.clone()), spout))
        .split(move |record| Either::<_, LogRecord>::Left(explode(record)));
    left.map(explode).shuffle().sink("store", Store(checked.stored.clone(), Duration::ZERO));
    right.shuffle().sink("none", Store(checked.stored.clone(), Duration::ZERO));
    let report = Trial::default().settings(settings()).run(t);
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert_eq!(log.records("dead").len(), 1);
    assert_eq!(not_stored(&counts(&checked.stored)), [42]);
    assert!(report.incidents[0].1.panicked && report.incidents[0].1.reason.contains("no forty-two"));
}

#[test]
fn a_run_of_nothing_but_poison_becomes_dead_letters() {
    let log = Log::open();
    log.fill("t", 1, 12);
    log.fill("dead", 1, 0);
    let checked = log.checked();
    let spout = LogSpoutSettings { dead_letters: Some("dead".into()), ..bounded("t") };
    let faults = Faults::default().fail("pass", |_: &LogRecord| true, Class::Poison, u32::MAX);
    let report = Trial::default().settings(settings()).faults(faults).run(over(&checked, spout));
    assert_eq!(report.exit_code(), 0, "{report:?}");
    let of = |record: &LogRecord| record.headers.last(dead_letter::ORIGIN_OFFSET).unwrap().clone();
    let mut letters: Vec<_> = log.records("dead").iter().map(of).collect();
    letters.sort();
    letters.dedup();
    assert_eq!((letters.len(), log.records("dead").len()), (12, 12));
    assert_eq!(log.committed("t"), [Some(12)]);
}

#[test]
fn poison_without_a_dead_letter_topic_ends_the_run_before_it() {
    let log = Log::open();
    log.fill("t", 1, 30);
    let checked = log.checked();
    let faults = fails_at(14, Class::Poison, u32::MAX);
    let report = Trial::default().settings(settings()).faults(faults).run(over(&checked, bounded("t")));
    let text = failure_of(&report);
    assert!(text.contains("t[0]@14") && text.contains("no dead-letter topic"), "{text}");
    checked.assert_kept();
    let committed = log.committed("t")[0].unwrap_or(0);
    assert!(committed <= 14, "{committed}");
}

#[test]
fn a_retryable_failure_is_replayed_up_to_the_bound() {
    let log = Log::open();
    log.fill("t", 1, 30);
    let spout = LogSpoutSettings { max_replays: 3, ..bounded("t") };
    let checked = log.checked();
    // The first try and three replays: one fewer failure is made good.
    let faults = fails_at(14, Class::Retryable, 3);
    let report = Trial::default().settings(settings()).faults(faults).run(over(&checked, spout.clone()));
    assert_eq!(report.exit_code(), 0, "{report:?}");
    checked.assert_kept();
    assert_eq!(offsets(&checked.stored), (0..30).collect::<Vec<_>>());
    assert_eq!(log.committed("t"), [Some(30)]);

    log.reset("t", &[(0, 0)]);
    let checked = log.checked();
    let faults = fails_at(14, Class::Retryable, 4);
    let report = Trial::default().settings(settings()).faults(faults).run(over(&checked, spout));
    let text = failure_of(&report);
    assert!(text.contains("t[0]@10 failed 4 times (retryable)"), "{text}");
    checked.assert_kept();
    let committed = log.committed("t")[0].unwrap_or(0);
    assert!(committed <= 14, "{committed}");
}

#[test]
fn replays_pass_over_a_hole_at_the_end_of_the_log() {
    let log = Log::open();
    let spec = crate::broker::TopicSpec::new("t", 1).compacted();
    super::block_on(async { crate::broker::Broker::create_topic(&*log.broker, &spec).await.unwrap() });
    log.append("t", 1, 0..10);
    // The last record replaces nothing, and goes itself as a tombstone: the log ends in a hole.
    let tombstone = crate::broker::Append { partition: Some(0), key: Some("gone".into()), ..Default::default() };
    let producer = crate::broker::Broker::producer(&*log.broker).unwrap();
    super::block_on(async {
        producer.append("t", vec![tombstone]).await.unwrap();
        log.broker.compact("t").await.unwrap();
    });
    assert_eq!(log.records("t").len(), 10, "the log ends in a hole");
    let checked = log.checked();
    checked.stored.lock().unwrap().insert((0, 10), 0);
    let settings = Settings { defaults: Tuning::default().batch(100).retries(0), ..Settings::default() };
    let faults = fails_at(9, Class::Retryable, 3);
    let report = Trial::default().settings(settings).faults(faults).run(over(&checked, bounded("t")));
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert_eq!(report.snapshot.spouts[0].outstanding, 0);
    checked.assert_kept();
    assert_eq!(log.committed("t"), [Some(11)]);
}
