//! Any failures, any stops: nothing is lost, and nothing is committed that is not stored.

use std::time::Duration;

use super::{Log, over, unbounded};
use crate::broker::LogSpoutSettings;
use crate::runtime::Ended;
use crate::testing::{Faults, Trial};

const SEEDS: u64 = 200;
const RECORDS: u64 = 60;

#[test]
fn random_failures_and_stops_lose_nothing_and_commit_nothing_that_is_not_stored() {
    let log = Log::open();
    log.fill("dead", 1, 0);
    let (mut repeated, mut unfinished) = (0, 0);
    for seed in 1..=SEEDS {
        let topic = format!("t{seed}");
        log.fill(&topic, 2, RECORDS);
        let checked = log.checked();
        for round in 0..3 {
            let commit_interval = Duration::from_millis(1 + seed % 7 * 10);
            let settings = LogSpoutSettings { max_replays: 1000, commit_interval, ..unbounded(&topic) };
            let last = round == 2;
            let dead_letters = Some("dead".to_owned());
            let settings = LogSpoutSettings { bounded: last, dead_letters, ..settings };
            let draw = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(round * 13) >> 33;
            let stop_after = Duration::from_millis(if last { 3_600_000 } else { draw % 40 });
            let trial = Trial::of_seed(seed + 1000 * u64::from(round));
            let faults = Faults::random(Faults::default(), seed + 7 * u64::from(round), 10 + seed % 60);
            let report = trial.faults(faults).run_with(over(&checked, settings), |stop| async move {
                tokio::time::sleep(stop_after).await;
                stop.stop();
            });
            checked.assert_kept();
            let stored = checked.stored.lock().unwrap().len() as u64;
            unfinished += u64::from(!last && stored < 2 * RECORDS);
            match report.ended {
                Ended::Finished => assert!(last && report.exit_code() == 0, "seed {seed}"),
                Ended::Drained => assert!(!last, "seed {seed}: the last run did not end by itself"),
                other => panic!("seed {seed}, round {round}: {other:?}"),
            }
        }
        let stored = checked.stored.lock().unwrap();
        let all: Vec<_> =
            (0..2).flat_map(|partition| (0..RECORDS).map(move |offset| (partition, offset))).collect();
        assert_eq!(stored.keys().copied().collect::<Vec<_>>(), all, "seed {seed}");
        assert_eq!(log.committed(&topic), [Some(RECORDS); 2], "seed {seed}");
        repeated += stored.values().filter(|times| **times > 1).count();
    }
    assert!(repeated > 0, "no failure led to a replay");
    assert!(unfinished > SEEDS / 4, "only {unfinished} stops hit a run that had work left");
}
