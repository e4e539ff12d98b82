#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use super::breaker::{BreakerSettings, BreakerState, SharedBreaker, SharedPermit, Verdict};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const OPEN_FOR: Duration = ms(10);
const PROBE_TIMEOUT: Duration = ms(10);

/// A breaker that one failure opened at 0, and that goes half-open at [`OPEN_FOR`].
fn opened(probes: usize, probe_successes: u32) -> SharedBreaker {
    let breaker = SharedBreaker::new(BreakerSettings {
        minimum_calls: 1,
        open_for: OPEN_FOR,
        probes,
        probe_successes,
        probe_timeout: PROBE_TIMEOUT,
        ramp_step: Duration::ZERO,
        ..BreakerSettings::default()
    });
    breaker.acquire(ms(0)).unwrap().record(Verdict::Failure, ms(0), ms(0));
    breaker
}

/// Runs `first` and `second` beside each other on clones of the breaker, and hands back what they gave.
fn race<A: 'static, B: 'static>(
    breaker: &SharedBreaker,
    first: fn(SharedBreaker) -> A,
    second: fn(SharedBreaker) -> B,
) -> (A, B) {
    let (a, b) = (breaker.clone(), breaker.clone());
    let first = loom::thread::spawn(move || first(a));
    let second = loom::thread::spawn(move || second(b));
    (first.join().unwrap(), second.join().unwrap())
}

fn probe(breaker: SharedBreaker) -> Option<SharedPermit> {
    breaker.acquire(OPEN_FOR).ok()
}

#[test]
fn exactly_as_many_probes_go_as_there_are_slots() {
    for slots in 1..=2 {
        loom::model(move || {
            let breaker = opened(slots, 3);
            let (first, second) = race(&breaker, probe, probe);
            let third = probe(breaker.clone());
            let permits: Vec<SharedPermit> = [first, second, third].into_iter().flatten().collect();
            assert_eq!(permits.len(), slots);
        });
    }
}

#[test]
fn a_probe_that_is_given_up_frees_its_slot_in_any_order() {
    loom::model(|| {
        let breaker = opened(1, 1);
        race(&breaker, |breaker| drop(probe(breaker)), |breaker| drop(probe(breaker)));
        assert_eq!(breaker.state(OPEN_FOR), BreakerState::HalfOpen);
        assert!(probe(breaker.clone()).is_some(), "a slot was lost");
    });
}

#[test]
fn two_probes_that_succeed_close_it_once() {
    loom::model(|| {
        let breaker = opened(2, 2);
        let succeed = |breaker: SharedBreaker| {
            let permit = breaker.acquire(OPEN_FOR).unwrap();
            permit.record(Verdict::Success, ms(0), OPEN_FOR);
        };
        race(&breaker, succeed, succeed);
        let status = breaker.status(OPEN_FOR);
        assert_eq!((status.state, status.changes), (BreakerState::Closed, 3));
    });
}

#[test]
fn a_failed_probe_outlives_any_success_beside_it() {
    loom::model(|| {
        let breaker = opened(2, 2);
        race(
            &breaker,
            |breaker| breaker.acquire(OPEN_FOR).unwrap().record(Verdict::Failure, ms(0), OPEN_FOR),
            |breaker| {
                if let Some(permit) = probe(breaker) {
                    permit.record(Verdict::Success, ms(0), OPEN_FOR);
                }
            },
        );
        let status = breaker.status(OPEN_FOR);
        assert_eq!((status.state, status.changes), (BreakerState::Open, 3));
    });
}

#[test]
fn a_late_outcome_changes_nothing_whoever_sees_the_timeout_first() {
    loom::model(|| {
        let breaker = opened(1, 1);
        let permit = probe(breaker.clone()).unwrap();
        let deadline = OPEN_FOR + PROBE_TIMEOUT;
        let other = breaker.clone();
        let late = loom::thread::spawn(move || permit.record(Verdict::Success, ms(0), deadline));
        let seen = loom::thread::spawn(move || other.state(deadline));
        late.join().unwrap();
        assert_eq!(seen.join().unwrap(), BreakerState::Open);
        let status = breaker.status(deadline);
        assert_eq!((status.state, status.changes), (BreakerState::Open, 3));
    });
}
