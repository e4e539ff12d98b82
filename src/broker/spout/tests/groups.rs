//! Partitions that move between members.

use std::sync::Arc;
use std::time::Duration;

use super::checked::Checked;
use super::{Log, counts, topology};
use crate::broker::{GroupSettings, LogSpout, LogSpoutSettings};
use crate::runtime::{Ended, start};
use crate::testing::Trial;
use crate::topology::{Settings, Topology, Tuning};

const PARTITIONS: u32 = 4;
const RECORDS: u64 = 200;

fn member(checked: &Checked, tasks: usize, drain: Duration, pause: Duration, bounded: bool) -> Topology {
    let group = GroupSettings { drain_timeout: drain, ..GroupSettings::new("g") };
    let settings = LogSpoutSettings { bounded, ..LogSpoutSettings::new("t", group) };
    topology(LogSpout::new(Arc::new(checked.clone()), settings), tasks, &checked.stored, pause)
}

fn settings() -> Settings {
    let defaults = Tuning::default().batch(5).max_pending(4).rows(5).message_timeout_ms(600_000);
    Settings { defaults, ..Settings::default() }
}

/// Two tasks read; another member with two tasks joins for `stay`, as often as `times`.
fn moves(checked: &Checked, drain: Duration, pause: Duration, stay: Duration, times: usize) {
    let first = member(checked, 2, drain, pause, false);
    let trial = Trial::default().settings(settings()).drain(Duration::from_secs(3600));
    let report = trial.run_with(first, |stop| async move {
        for _ in 0..times {
            tokio::time::sleep(stay).await;
            let second = member(checked, 2, drain, Duration::from_millis(10), false);
            let second = start(second, &settings(), Default::default()).unwrap();
            tokio::time::sleep(stay).await;
            second.stopper().stop();
            assert!(matches!(second.wait().await.ended, Ended::Drained));
        }
        stop.stop();
    });
    assert!(matches!(report.ended, Ended::Drained), "{report:?}");
}

/// Reads what is left.
fn finish(log: &Log, checked: &Checked) {
    let rest = member(checked, 1, Duration::from_secs(5), Duration::ZERO, true);
    assert_eq!(Trial::default().run(rest).exit_code(), 0);
    checked.assert_kept();
    assert_eq!(log.committed("t"), [Some(RECORDS); PARTITIONS as usize]);
    assert_eq!(checked.stored.lock().unwrap().len() as u64, RECORDS * u64::from(PARTITIONS), "none is lost");
}

#[test]
fn partitions_that_are_drained_move_without_loss_or_repetition() {
    for failing in [0, 1] {
        let log = Log::open();
        log.fill("t", PARTITIONS, RECORDS);
        let checked = log.checked();
        checked.seen.lock().unwrap().fail_releases = failing;
        let (drain, stay) = (Duration::from_secs(60), Duration::from_millis(120));
        moves(&checked, drain, Duration::from_millis(20), stay, 3);
        checked.assert_kept();
        {
            let seen = checked.seen.lock().unwrap();
            assert!(seen.revoked > 0 && seen.lost == 0, "{} revoked, {} lost", seen.revoked, seen.lost);
            let stored = checked.stored.lock().unwrap().len() as u64;
            assert!(stored < RECORDS * u64::from(PARTITIONS), "the moves hit a log that was read already");
        }
        finish(&log, &checked);
        assert!(counts(&checked.stored).iter().all(|times| *times == 1), "none is stored twice");
    }
}

#[test]
fn a_drain_that_takes_too_long_is_replayed_by_the_heir() {
    let log = Log::open();
    log.fill("t", PARTITIONS, RECORDS);
    let checked = log.checked();
    moves(&checked, Duration::from_secs(2), Duration::from_secs(9), Duration::from_secs(20), 1);
    checked.assert_kept();
    assert!(checked.seen.lock().unwrap().lost > 0, "nothing was lost");
    assert!(counts(&checked.stored).iter().any(|times| *times > 1), "nothing came again");
    finish(&log, &checked);
}
