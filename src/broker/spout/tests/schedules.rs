//! Any failures, stops, deaths and gates: nothing is lost, and nothing is committed that is not stored.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::deaths::{live_with, small};
use super::{Log, over_gated, unbounded};
use crate::broker::{Admission, Gate, LogRecord, LogSpoutSettings};
use crate::runtime::{Ended, Options};
use crate::testing::{Faults, Trial};
use crate::topology::BoxFuture;

const SEEDS: u64 = 200;
const RECORDS: u64 = 60;

/// Opens and shuts at random, and changes its mind at random.
struct Flapping(Mutex<u64>);

impl Flapping {
    fn draw(&self, below: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (*state >> 33) % below
    }
}

impl Gate for Flapping {
    fn admit(&self, records: &[LogRecord]) -> Admission {
        match self.draw(3) {
            0 => Admission::all(),
            1 => Admission::some(0, Duration::from_millis(self.draw(60))),
            _ => {
                Admission::some(self.draw(records.len() as u64 + 1) as usize, Duration::from_millis(self.draw(9)))
            }
        }
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        let after = Duration::from_millis(1 + self.draw(80));
        Box::pin(tokio::time::sleep(after))
    }
}

#[test]
fn random_failures_stops_deaths_and_gates_lose_nothing_and_commit_nothing_that_is_not_stored() {
    let log = Log::open();
    log.fill("dead", 1, 0);
    let (mut repeated, mut unfinished, mut deaths) = (0, 0, 0);
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
            let gates = seed % 3;
            let gates =
                (0..gates).map(|at| Arc::new(Flapping(Mutex::new(seed * 31 + at))) as Arc<dyn Gate>).collect();
            let topology = over_gated(&checked, settings, gates);
            if !last && draw % 3 == 0 {
                let options = Options { faults: Some(Arc::new(faults)), ..Options::default() };
                let death = async move { tokio::time::sleep(stop_after).await };
                assert!(live_with(topology, &small(), options, death).is_none());
                checked.assert_kept();
                deaths += 1;
                continue;
            }
            let report = trial.faults(faults).run_with(topology, |stop| async move {
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
    assert!(deaths > SEEDS / 3, "only {deaths} deaths");
}
