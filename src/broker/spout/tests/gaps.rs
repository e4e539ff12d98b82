//! Partitions whose next record is not in the log: deleted, cut off, or away for a moment.

use std::sync::Arc;
use std::time::Duration;

use super::deaths::small;
use super::desk::{Desk, found, run, spout, until};
use super::{Log, Stored, counts, offsets, topology, unbounded};
use crate::broker::{Append, Broker, BrokerError, Gap, LogRecord, LogSpout, LogSpoutSettings, Note, OnGap};
use crate::testing::{Faults, Trial};
use crate::topology::Class;

#[test]
fn a_partition_at_a_gap_waits_for_a_seek_while_the_others_go_on() {
    let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
    log.fill("t", 2, 100);
    log.reset("t", &[(0, 10)]);
    log.delete_before("t", 60);
    let report = run(&log, &desk, &stored, 0, || async {
        until(|| !desk.stopped.lock().unwrap().is_empty() && stored.lock().unwrap().len() == 100).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(offsets(&stored).is_empty());
        desk.want(0, 1, 60);
        until(|| offsets(&stored).len() == 40).await;
    });
    assert_eq!(report.exit_code(), 0);
    assert_eq!(*desk.stopped.lock().unwrap(), [(0, Gap { from: 10, to: 60 })]);
    assert!(desk.passed.lock().unwrap().is_empty(), "a seek is the operator's own decision");
    assert_eq!(found(&log), [(100, Note::Clean, 1), (100, Note::Clean, 0)]);
}

/// A run that fails is read again from the log, which may have deleted it by then: the partition stops, or goes on, from
/// what has not settled, and the others do not hear of it.
#[test]
fn what_was_deleted_before_it_could_come_again_is_a_gap_from_what_had_not_settled() {
    for (on_gap, stops) in [(OnGap::Stop, true), (OnGap::Earliest, false)] {
        let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
        log.fill("t", 2, 100);
        let settings = LogSpoutSettings { on_gap, max_replays: 1_000_000, ..unbounded("t") };
        let topology = topology(spout(&log, settings, &desk), 1, &stored, Duration::ZERO);
        let is_it = |record: &LogRecord| (record.origin.partition, record.origin.offset) == (0, 20);
        let faults = Faults::default().fail("store", is_it, Class::Retryable, u32::MAX);
        let report = Trial::default().settings(small()).faults(faults).run_with(topology, |stop| {
            let (broker, desk, stored) = (log.broker.clone(), desk.clone(), stored.clone());
            async move {
                until(|| stored.lock().unwrap().contains_key(&(1, 99)) && offsets(&stored).len() >= 20).await;
                broker.delete_before("t", 0, 60).await.unwrap();
                until(|| stops != desk.stopped.lock().unwrap().is_empty()).await;
                if stops {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                    desk.want(0, 1, 60);
                }
                until(|| offsets(&stored).last() == Some(&99)).await;
                stop.stop();
            }
        });
        assert_eq!(report.exit_code(), 0, "{report:?}");
        let said = if stops { desk.stopped.lock().unwrap().clone() } else { desk.passed.lock().unwrap().clone() };
        assert_eq!(said.len(), 1, "{said:?}");
        let Gap { from, to } = said[0].1;
        let settled = offsets(&stored).into_iter().take_while(|offset| *offset < 60).count() as u64;
        assert!(from <= 20 && from <= settled && to == 60, "{from}..{to}, {settled} were stored");
        assert_eq!(found(&log)[0].0, 100);
    }
}

fn out_of_range(offset: u64, earliest: u64, latest: u64) -> BrokerError {
    BrokerError::OutOfRange { topic: "t".to_owned(), partition: 0, offset, earliest, latest }
}

/// The bounds are asked for after the answer: by then the position may be within them.
#[test]
fn a_position_that_is_in_the_log_after_all_is_read_again() {
    let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
    log.fill("t", 1, 100);
    let checked = log.checked();
    let spout = LogSpout::new(Arc::new(checked.clone()), unbounded("t")).steered(desk.clone());
    let topology = topology(spout, 1, &stored, Duration::ZERO);
    let report = Trial::default().settings(small()).run_with(topology, |stop| {
        let (broker, stored) = (log.broker.clone(), stored.clone());
        async move {
            until(|| offsets(&stored).len() == 100).await;
            checked.seen.lock().unwrap().fail_polls.push_back(out_of_range(100, 0, 100));
            broker.producer().unwrap().append("t", vec![Append::default(); 50]).await.unwrap();
            until(|| offsets(&stored).len() == 150).await;
            assert!(checked.seen.lock().unwrap().fail_polls.is_empty());
            stop.stop();
        }
    });
    assert_eq!(report.exit_code(), 0);
    assert!(desk.stopped.lock().unwrap().is_empty() && counts(&stored).iter().all(|times| *times == 1));
}

/// As with a poll: what is to come again is still to come, or all that has not settled where the log was cut.
#[test]
fn what_comes_again_and_cannot_be_read_is_not_forgotten() {
    for error in [out_of_range(20, 0, 100), out_of_range(95, 0, 90)] {
        let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
        log.fill("t", 1, 100);
        let checked = log.checked();
        checked.seen.lock().unwrap().fail_cursors.push_back(error);
        let settings = LogSpoutSettings { max_replays: 1_000_000, ..unbounded("t") };
        let spout = LogSpout::new(Arc::new(checked.clone()), settings).steered(desk.clone());
        let topology = topology(spout, 1, &stored, Duration::ZERO);
        let faults =
            Faults::default().fail("store", |record: &LogRecord| record.origin.offset == 20, Class::Retryable, 50);
        let report = Trial::default().settings(small()).faults(faults).run_with(topology, |stop| {
            let stored = stored.clone();
            async move {
                until(|| offsets(&stored).len() == 100).await;
                stop.stop();
            }
        });
        assert_eq!(report.exit_code(), 0, "{report:?}");
        assert!(checked.seen.lock().unwrap().fail_cursors.is_empty() && desk.stopped.lock().unwrap().is_empty());
        assert_eq!(found(&log)[0].0, 100);
    }
}

/// A log that was cut has other records where it was read already: what has not settled is read from it, and where even
/// that is not there, nobody but an operator knows where to go on, however long the log becomes.
#[test]
fn a_log_that_was_cut_is_read_from_what_has_not_settled_or_waits_for_a_seek() {
    for settles in [false, true] {
        let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
        log.fill("t", 1, 100);
        let checked = log.checked();
        // So that hours are not long on a clock that jumps.
        let commit_interval = Duration::from_secs(3600);
        let settings = LogSpoutSettings { max_replays: 1_000_000, commit_interval, ..unbounded("t") };
        let spout = LogSpout::new(Arc::new(checked.clone()), settings).steered(desk.clone());
        let topology = topology(spout, 1, &stored, Duration::ZERO);
        let is_it = move |record: &LogRecord| record.origin.offset == 20 && !settles;
        let faults = Faults::default().fail("store", is_it, Class::Retryable, 500);
        let report = Trial::default().settings(small()).faults(faults).run_with(topology, |stop| {
            let (broker, desk, stored) = (log.broker.clone(), desk.clone(), stored.clone());
            async move {
                until(|| offsets(&stored).len() >= if settles { 100 } else { 15 }).await;
                checked.seen.lock().unwrap().fail_polls.push_back(out_of_range(100, 0, 90));
                until(|| checked.seen.lock().unwrap().fail_polls.is_empty()).await;
                broker.producer().unwrap().append("t", vec![Append::default(); 50]).await.unwrap();
                if settles {
                    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
                    assert_eq!(offsets(&stored).len(), 100, "what is new below 100 must not be passed over");
                    desk.want(0, 1, 90);
                }
                until(|| offsets(&stored).len() == 150).await;
                stop.stop();
            }
        });
        assert_eq!(report.exit_code(), 0, "{report:?}");
        let stopped = desk.stopped.lock().unwrap().clone();
        assert_eq!(!stopped.is_empty(), settles, "{stopped:?}");
        if settles {
            assert!(counts(&stored)[90..100].iter().all(|times| *times == 2), "read again from the seek on");
        }
    }
}

/// What cannot be kept for as long as the log is away keeps nobody else waiting.
#[test]
fn the_others_go_on_while_a_gap_is_being_kept() {
    let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
    log.fill("t", 2, 100);
    log.reset("t", &[(0, 10)]);
    log.delete_before("t", 60);
    *desk.takes.lock().unwrap() = Duration::from_secs(3600);
    let settings = LogSpoutSettings { on_gap: OnGap::Earliest, ..unbounded("t") };
    let topology = topology(spout(&log, settings, &desk), 1, &stored, Duration::ZERO);
    let report = Trial::default().run_with(topology, |stop| {
        let (desk, stored) = (desk.clone(), stored.clone());
        async move {
            until(|| stored.lock().unwrap().contains_key(&(1, 99))).await;
            assert!(desk.passed.lock().unwrap().is_empty() && offsets(&stored).is_empty());
            until(|| offsets(&stored).len() == 40).await;
            stop.stop();
        }
    });
    assert_eq!(report.exit_code(), 0);
    assert_eq!(*desk.passed.lock().unwrap(), [(0, Gap { from: 10, to: 60 })], "once, however long it took");
}

#[test]
fn a_partition_goes_on_behind_a_gap_by_its_settings_once_the_gap_is_kept() {
    for (on_gap, first) in [(OnGap::Earliest, Some(60)), (OnGap::Latest, None)] {
        let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
        log.fill("t", 1, 100);
        log.reset("t", &[(0, 10)]);
        log.delete_before("t", 60);
        *desk.fails.lock().unwrap() = 2;
        let settings = LogSpoutSettings { on_gap, ..unbounded("t") };
        let topology = topology(spout(&log, settings, &desk), 1, &stored, Duration::ZERO);
        let report = Trial::default().run_with(topology, |stop| {
            let (desk, stored) = (desk.clone(), stored.clone());
            async move {
                until(|| !desk.passed.lock().unwrap().is_empty()).await;
                until(|| first.is_none() || offsets(&stored).len() == 40).await;
                tokio::time::sleep(Duration::from_secs(5)).await;
                stop.stop();
            }
        });
        assert_eq!(report.exit_code(), 0);
        assert_eq!(*desk.passed.lock().unwrap(), [(0, Gap { from: 10, to: 60 })], "once, after two failures");
        assert_eq!(offsets(&stored).first().copied(), first);
        assert_eq!(found(&log), [(100, Note::Clean, 0)]);
    }
}
