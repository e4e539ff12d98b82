//! Partitions that go on elsewhere, by an operator's wish.

use std::sync::Arc;
use std::time::Duration;

use super::deaths::{live_with, small};
use super::desk::{Desk, found, run, spout, until};
use super::{Log, Stored, counts, offsets, topology, unbounded};
use crate::broker::{Broker, ConsumerEvent, GroupSettings, LogRecord, LogSpout, LogSpoutSettings, Note, Seek};
use crate::runtime::{Ended, Options};
use crate::testing::{Faults, Trial};
use crate::topology::Class;

#[test]
fn a_seek_ahead_passes_over_what_is_between_and_is_committed_with_its_number() {
    let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
    log.fill("t", 2, 10_000);
    let report = run(&log, &desk, &stored, 10, || async {
        until(|| offsets(&stored).len() > 100).await;
        desk.want(0, 7, 9_900);
        desk.until_all_stand(7, 1).await;
        until(|| offsets(&stored).last() == Some(&9_999)).await;
    });
    assert_eq!(report.exit_code(), 0);
    let of_first = offsets(&stored);
    let before = of_first.iter().filter(|offset| **offset < 9_900).count() as u64;
    assert!(before < 9_000, "{before} were stored before the seek");
    assert!(of_first[..before as usize].iter().copied().eq(0..before), "what was in flight is settled");
    assert!(of_first[before as usize..].iter().copied().eq(9_900..10_000));
    assert!(counts(&stored).iter().all(|times| *times == 1));
    let found = found(&log);
    assert_eq!(found[0], (10_000, Note::Clean, 7));
    assert_eq!((found[1].1, found[1].2), (Note::Clean, 0), "the other partition is as it was");
}

#[test]
fn a_seek_back_repeats_and_commits_go_back_with_it() {
    let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
    log.fill("t", 1, 500);
    let report = run(&log, &desk, &stored, 1, || async {
        until(|| offsets(&stored).len() == 500).await;
        desk.want(0, 3, 200);
        until(|| counts(&stored)[499] == 2).await;
    });
    assert_eq!(report.exit_code(), 0);
    let times = counts(&stored);
    assert!(times[..200].iter().all(|times| *times == 1) && times[200..].iter().all(|times| *times == 2));
    assert_eq!(found(&log), [(500, Note::Clean, 3)]);
}

#[test]
fn a_seek_is_applied_once_whoever_dies() {
    let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
    log.fill("t", 1, 500);
    desk.want(0, 9, 400);
    let once = topology(spout(&log, unbounded("t"), &desk), 1, &stored, Duration::ZERO);
    let death = async { until(|| offsets(&stored).len() == 100).await };
    assert!(live_with(once, &small(), Options::default(), death).is_none());
    assert!(offsets(&stored).iter().copied().eq(400..500), "it came before anything was read");
    // The heir finds the seek wanted still, and applied.
    stored.lock().unwrap().clear();
    let committed = log.committed("t")[0].unwrap();
    let report = run(&log, &desk, &stored, 0, || async {
        desk.until_all_stand(9, 1).await;
        until(|| offsets(&stored).last() == Some(&499) || committed == 500).await;
    });
    assert_eq!(report.exit_code(), 0);
    assert!(offsets(&stored).first().is_none_or(|first| *first >= committed), "it did not go there again");
    assert_eq!(found(&log), [(500, Note::Clean, 9)]);
}

#[test]
fn what_fails_and_cannot_be_committed_does_not_keep_a_partition_from_moving() {
    let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
    log.fill("t", 1, 300);
    let checked = log.checked();
    let settings = LogSpoutSettings { max_replays: 1_000_000, ..unbounded("t") };
    let spout = LogSpout::new(Arc::new(checked.clone()), settings).steered(desk.clone());
    let topology = topology(spout, 1, &stored, Duration::ZERO);
    // Whatever has to do with record 20 fails.
    let is_it = |record: &LogRecord| record.origin.offset == 20;
    let faults = Faults::default().fail("store", is_it, Class::Retryable, u32::MAX);
    let report = Trial::default().settings(small()).faults(faults).run_with(topology, |stop| async move {
        until(|| checked.seen.lock().unwrap().cursors > 0).await;
        checked.seen.lock().unwrap().fail_notes = 3;
        desk.want(0, 1, 290);
        until(|| offsets(&stored).last() == Some(&299)).await;
        stop.stop();
    });
    assert!(matches!(report.ended, Ended::Drained), "{report:?}");
    assert_eq!(found(&log)[0].2, 1);
}

/// Random seeks, failures, stops and deaths: what lies from the last seek on is stored, its number is committed.
#[test]
fn random_seeks_failures_stops_and_deaths_end_where_the_last_seek_leads() {
    const RECORDS: u64 = 60;
    let (log, mut deaths, mut moved) = (Log::open(), 0, 0);
    for seed in 1..=300_u64 {
        let name = format!("t{seed}");
        log.fill(&name, 2, RECORDS);
        let (desk, stored) = (Arc::new(Desk::default()), Stored::default());
        let draw = |round: u64, below: u64| {
            (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left((round * 11) as u32) >> 33) % below
        };
        for round in 0..4 {
            let settings = LogSpoutSettings {
                max_replays: 1000,
                commit_interval: Duration::from_millis(5),
                ..unbounded(&name)
            };
            let built = topology(spout(&log, settings, &desk), 1, &stored, Duration::from_millis(seed % 3));
            let is_hit =
                move |record: &LogRecord| (record.origin.offset ^ seed).wrapping_mul(0x9e37_79b9) >> 7 & 7 == 0;
            let faults = Faults::default().fail("store", is_hit, Class::Retryable, 1 + (seed % 40) as u32);
            let (wait, target) = (Duration::from_millis(draw(round, 30)), draw(round + 5, RECORDS + 1));
            let script = async {
                tokio::time::sleep(wait).await;
                if round < 3 {
                    desk.want((round % 2) as u32, round + 1, target);
                    tokio::time::sleep(Duration::from_millis(draw(round + 9, 12))).await;
                    return;
                }
                // Everything that is wanted is applied, and all of it is stored.
                desk.until_all_stand(2, 2).await;
                let goals = desk.wanted.lock().unwrap().clone();
                for (partition, Seek { offset, .. }) in goals {
                    let all = || (offset..RECORDS).all(|at| stored.lock().unwrap().contains_key(&(partition, at)));
                    until(all).await;
                }
            };
            if round < 3 && draw(round + 3, 2) == 0 {
                let options = Options { faults: Some(Arc::new(faults)), ..Options::default() };
                assert!(live_with(built, &small(), options, script).is_none());
                deaths += 1;
                continue;
            }
            let report = Trial::of_seed(seed + 1000 * round).faults(faults).run_with(built, |stop| async move {
                script.await;
                stop.stop();
            });
            assert!(matches!(report.ended, Ended::Drained), "seed {seed}, round {round}: {report:?}");
            moved += u64::from(desk.stands.lock().unwrap().is_empty());
        }
        let numbers: Vec<u64> = found_in(&log, &name).into_iter().map(|(_, seek)| seek).collect();
        assert_eq!(numbers, [3, 2], "seed {seed}");
    }
    assert!(deaths > 300 && moved > 300, "{deaths} deaths, {moved} orderly ends");
}

fn found_in(log: &Log, topic: &str) -> Vec<(u64, u64)> {
    super::block_on(async {
        let mut heir = log.broker.subscribe(topic, &GroupSettings::new("g")).unwrap();
        match heir.poll(1).await.unwrap() {
            ConsumerEvent::Assigned(granted) => granted.iter().map(|g| (g.next, g.seek)).collect(),
            event => panic!("{event:?}"),
        }
    })
}
