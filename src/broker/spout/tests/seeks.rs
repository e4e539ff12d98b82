//! Partitions that go on elsewhere, by an operator's wish or behind a gap.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::deaths::{live_with, small};
use super::{Log, Stored, counts, offsets, topology, unbounded};
use crate::broker::{
    Append, Broker, BrokerError, ConsumerEvent, Gap, GroupSettings, LogRecord, LogSpout, LogSpoutSettings, Note,
    OnGap, Seek, Seeks, StartFrom,
};
use crate::runtime::{Ended, Options, Report, Stop};
use crate::testing::{Faults, Trial};
use crate::topology::{BoxFuture, Class};

/// What an operator wants, and what he hears.
struct Desk {
    wanted: Mutex<BTreeMap<u32, Seek>>,
    changes: watch::Sender<()>,
    stands: Mutex<BTreeMap<u32, u64>>,
    stopped: Mutex<Vec<(u32, Gap)>>,
    passed: Arc<Mutex<Vec<(u32, Gap)>>>,
    /// This many times it fails to keep a gap.
    fails: Arc<Mutex<u32>>,
    /// How long it takes to keep one: as a log does it, not at the first look.
    takes: Mutex<Duration>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            wanted: Mutex::default(),
            changes: watch::channel(()).0,
            stands: Mutex::default(),
            stopped: Mutex::default(),
            passed: Arc::default(),
            fails: Arc::default(),
            takes: Mutex::new(Duration::from_millis(7)),
        }
    }
}

impl Desk {
    fn want(&self, partition: u32, number: u64, offset: u64) {
        self.wanted.lock().unwrap().insert(partition, Seek { number, offset });
        self.changes.send_replace(());
    }

    async fn until_all_stand(&self, number: u64, partitions: usize) {
        while self.stands.lock().unwrap().values().filter(|seek| **seek >= number).count() < partitions {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Seeks for Desk {
    fn wanted(&self, partition: u32, last: u64) -> Option<Seek> {
        self.wanted.lock().unwrap().get(&partition).copied().filter(|seek| seek.number > last)
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        let mut changes = self.changes.subscribe();
        Box::pin(async move { changes.changed().await.unwrap() })
    }

    fn stands(&self, _task: u64, partition: u32, seek: u64) {
        self.stands.lock().unwrap().insert(partition, seek);
    }

    fn gone(&self, _task: u64, partition: u32) {
        self.stands.lock().unwrap().remove(&partition);
    }

    fn stopped(&self, partition: u32, gap: Gap) {
        self.stopped.lock().unwrap().push((partition, gap));
    }

    fn passing(&self, partition: u32, gap: Gap, _to: u64) -> BoxFuture<'static, Result<(), BrokerError>> {
        let (fails, passed, takes) = (self.fails.clone(), self.passed.clone(), *self.takes.lock().unwrap());
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            let mut fails = fails.lock().unwrap();
            if *fails > 0 {
                *fails -= 1;
                return Err(BrokerError::UnknownTopic { topic: "audit".to_owned() });
            }
            passed.lock().unwrap().push((partition, gap));
            Ok(())
        })
    }
}

fn spout(log: &Log, settings: LogSpoutSettings, desk: &Arc<Desk>) -> LogSpout {
    LogSpout::new(log.broker.clone(), settings).steered(desk.clone())
}

/// Runs until the script has ended, in order.
fn run<F: Future<Output = ()>>(
    log: &Log,
    desk: &Arc<Desk>,
    stored: &Stored,
    pause_ms: u64,
    script: impl FnOnce() -> F,
) -> Report {
    let topology = topology(spout(log, unbounded("t"), desk), 1, stored, Duration::from_millis(pause_ms));
    Trial::default().settings(small()).run_with(topology, |stop: Stop| async move {
        script().await;
        stop.stop();
    })
}

async fn until(done: impl Fn() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What a member of the group finds that joins now: offset, note and seek, by partition.
fn found(log: &Log) -> Vec<(u64, Note, u64)> {
    super::block_on(async {
        let mut heir = log.broker.subscribe("t", &GroupSettings::new("g")).unwrap();
        match heir.poll(1).await.unwrap() {
            ConsumerEvent::Assigned(granted) => granted.iter().map(|g| (g.next, g.note, g.seek)).collect(),
            event => panic!("{event:?}"),
        }
    })
}

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

/// A group that begins with the newest is where it began for everybody, also without care for deaths.
#[test]
fn where_a_group_begins_is_committed_before_it_has_read_anything() {
    for max_deaths in [0, 3] {
        let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
        log.fill("t", 1, 100);
        let group = GroupSettings { start_from: StartFrom::Latest, ..GroupSettings::new("g") };
        let settings = LogSpoutSettings { max_deaths, ..LogSpoutSettings::new("t", group) };
        let topology = topology(spout(&log, settings, &desk), 1, &stored, Duration::ZERO);
        let broker = log.broker.clone();
        let report = Trial::default().run_with(topology, |stop| async move {
            while broker.committed("g", "t").await.unwrap()[0].is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.stop();
        });
        assert_eq!((report.exit_code(), log.committed("t")[0]), (0, Some(100)));
    }
}

/// Also when it could not be committed before the partition goes: its heir would begin at a newest of his own.
#[test]
fn where_a_group_begins_goes_with_the_partition() {
    let (log, desk, stored) = (Log::open(), Arc::new(Desk::default()), Stored::default());
    log.fill("t", 1, 100);
    let checked = log.checked();
    checked.seen.lock().unwrap().fail_notes = usize::MAX;
    let group = GroupSettings { start_from: StartFrom::Latest, ..GroupSettings::new("g") };
    let spout = LogSpout::new(Arc::new(checked.clone()), LogSpoutSettings::new("t", group)).steered(desk.clone());
    let topology = topology(spout, 1, &stored, Duration::ZERO);
    let broker = log.broker.clone();
    let report = Trial::default().run_with(topology, |stop| async move {
        until(|| checked.seen.lock().unwrap().fail_notes < usize::MAX - 3).await;
        broker.producer().unwrap().append("t", vec![Append::default(); 50]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.stop();
    });
    assert_eq!((report.exit_code(), log.committed("t")[0]), (0, Some(100)));
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
