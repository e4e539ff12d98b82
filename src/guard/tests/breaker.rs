#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use super::{ms, secs};
use crate::guard::{Breaker, BreakerSettings, BreakerState, Refusal, Verdict};
use crate::topology::{Class, Error};

fn settings() -> BreakerSettings {
    BreakerSettings { ramp_step: Duration::ZERO, ..BreakerSettings::default() }
}

fn call(breaker: &mut Breaker, verdict: Verdict, took: Duration, now: Duration) {
    let permit = breaker.acquire(now).unwrap();
    breaker.record(permit, verdict, took, now);
}

/// A breaker that ten failures opened at `now`.
fn opened(settings: BreakerSettings, now: Duration) -> Breaker {
    let mut breaker = Breaker::new(settings);
    for _ in 0..settings.minimum_calls {
        call(&mut breaker, Verdict::Failure, ms(1), now);
    }
    assert_eq!(breaker.state(now), BreakerState::Open);
    breaker
}

#[test]
fn it_opens_when_half_of_the_calls_fail_and_says_so() {
    let mut breaker = Breaker::new(settings());
    for step in 0..8 {
        call(&mut breaker, Verdict::Success, ms(5), ms(step));
    }
    for step in 0..7 {
        call(&mut breaker, Verdict::Failure, ms(5), ms(100 + step));
        assert_eq!(breaker.state(secs(1)), BreakerState::Closed);
    }
    call(&mut breaker, Verdict::Failure, ms(5), secs(1));
    let status = breaker.status(secs(2));
    assert_eq!((status.state, status.since, status.changes), (BreakerState::Open, secs(1), 1));
    assert_eq!(status.reason, "8 of 16 calls failed in 10 s");
    let refusal = breaker.acquire(secs(2)).unwrap_err();
    assert_eq!(refusal, Refusal { retry_after: secs(4), reason: "the breaker is open" });
    assert_eq!(refusal.to_string(), "the breaker is open; asking again makes sense in 4000 ms");
    assert_eq!(Error::from(refusal).class(), Class::Refused);
}

#[test]
fn it_opens_when_most_calls_are_slow_whatever_their_outcome() {
    let mut breaker = Breaker::new(settings());
    for _ in 0..2 {
        call(&mut breaker, Verdict::Success, ms(999), secs(1));
    }
    for _ in 0..8 {
        call(&mut breaker, Verdict::Success, secs(1), secs(1));
    }
    assert_eq!(breaker.state(secs(1)), BreakerState::Open);
    assert_eq!(breaker.reason(), "8 of 10 calls took 1 s or longer in 10 s");
}

#[test]
fn few_old_and_ignored_calls_say_nothing() {
    let mut breaker = Breaker::new(settings());
    for _ in 0..9 {
        call(&mut breaker, Verdict::Failure, ms(1), secs(0));
    }
    for _ in 0..100 {
        call(&mut breaker, Verdict::Ignored, secs(9), secs(1));
    }
    call(&mut breaker, Verdict::Failure, ms(1), secs(10));
    assert_eq!((breaker.state(secs(10)), breaker.changes()), (BreakerState::Closed, 0));
}

#[test]
fn only_the_last_calls_are_remembered() {
    let mut breaker = Breaker::new(BreakerSettings { window_calls: 10, ..settings() });
    for step in 0..1_000 {
        // One in three fails: a window of any ten holds four at most.
        let verdict = if step % 3 == 0 { Verdict::Failure } else { Verdict::Success };
        call(&mut breaker, verdict, ms(1), secs(1));
    }
    assert_eq!(breaker.state(secs(1)), BreakerState::Closed);
}

#[test]
fn failing_probes_double_the_time_that_it_is_open() {
    let mut now = secs(100);
    let mut breaker = opened(settings(), now);
    for open_for in [5, 10, 20, 40, 60, 60].map(secs) {
        let refusal = breaker.acquire(now).unwrap_err();
        assert_eq!(refusal.retry_after, open_for);
        now += open_for;
        assert_eq!(breaker.state(now - ms(1)), BreakerState::Open);
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        call(&mut breaker, Verdict::Failure, ms(1), now);
        assert_eq!(breaker.reason(), "a probe failed");
    }
    now += secs(60);
    for _ in 0..3 {
        call(&mut breaker, Verdict::Success, ms(1), now);
    }
    assert_eq!((breaker.state(now), breaker.reason()), (BreakerState::Closed, "3 probes succeeded"));
    for _ in 0..10 {
        call(&mut breaker, Verdict::Failure, ms(1), now);
    }
    assert_eq!(breaker.acquire(now).unwrap_err().retry_after, secs(5), "fully recovered, it starts anew");
}

#[test]
fn a_probe_that_hangs_fails_at_its_timeout_and_its_outcome_is_ignored() {
    let mut breaker = opened(settings(), secs(0));
    let hanging = breaker.acquire(secs(5)).unwrap();
    assert_eq!(breaker.acquire(secs(6)).unwrap_err().retry_after, secs(4));
    let status = breaker.status(secs(11));
    assert_eq!((status.state, status.since), (BreakerState::Open, secs(10)));
    assert_eq!(status.reason, "a probe had no outcome in 5 s");
    assert_eq!(breaker.acquire(secs(11)).unwrap_err().retry_after, secs(9), "10 s from the timeout on");
    breaker.record(hanging, Verdict::Success, secs(1), secs(12));
    assert_eq!(breaker.state(secs(12)), BreakerState::Open);
    call(&mut breaker, Verdict::Success, ms(1), secs(20));
    assert_eq!(breaker.state(secs(20)), BreakerState::HalfOpen, "one of three");
}

#[test]
fn ignored_and_released_probes_free_their_slot_and_count_nowhere() {
    let mut breaker = opened(settings(), secs(0));
    for _ in 0..5 {
        call(&mut breaker, Verdict::Ignored, ms(1), secs(5));
        let unused = breaker.acquire(secs(5)).unwrap();
        breaker.release(unused);
    }
    assert_eq!((breaker.state(secs(5)), breaker.changes()), (BreakerState::HalfOpen, 2));
}

#[test]
fn probes_that_are_all_slow_do_not_close_it() {
    let mut breaker = opened(settings(), secs(0));
    for _ in 0..3 {
        call(&mut breaker, Verdict::Success, secs(1), secs(5));
    }
    assert_eq!(
        (breaker.state(secs(5)), breaker.reason()),
        (BreakerState::Open, "3 of 3 probes took 1 s or longer")
    );
}

#[test]
fn calls_from_before_it_opened_decide_nothing_afterwards() {
    let mut breaker = Breaker::new(settings());
    let early: Vec<_> = (0..20).map(|_| breaker.acquire(secs(0)).unwrap()).collect();
    for _ in 0..10 {
        call(&mut breaker, Verdict::Failure, ms(1), secs(0));
    }
    for (permit, verdict) in early.into_iter().zip([Verdict::Success, Verdict::Failure].into_iter().cycle()) {
        breaker.record(permit, verdict, ms(1), secs(5));
    }
    assert_eq!((breaker.state(secs(5)), breaker.changes()), (BreakerState::HalfOpen, 2));
}

#[test]
fn the_ramp_admits_a_growing_share_and_a_relapse_opens_for_longer() {
    let ramped = BreakerSettings { probe_successes: 1, ..BreakerSettings::default() };
    let mut breaker = opened(ramped, secs(0));
    call(&mut breaker, Verdict::Success, ms(1), secs(5));
    let admitted = |breaker: &mut Breaker, now| (0..100).filter(|_| breaker.acquire(now).is_ok()).count();
    assert_eq!(admitted(&mut breaker.clone(), secs(5)), 10);
    assert_eq!(breaker.clone().acquire(secs(5)).map(drop), Ok(()), "the first one goes");
    assert_eq!(admitted(&mut breaker.clone(), secs(10)), 50);
    assert_eq!(admitted(&mut breaker.clone(), secs(15)), 100);

    for _ in 0..100 {
        match breaker.acquire(ms(7_500)) {
            Ok(permit) => breaker.record(permit, Verdict::Failure, ms(1), ms(7_500)),
            Err(refusal) => assert!(refusal.retry_after == ms(2_500) || refusal.retry_after == secs(10)),
        }
    }
    assert_eq!(breaker.state(secs(17)), BreakerState::Open, "open for 10 s, not 5");
    assert_eq!(breaker.state(ms(17_500)), BreakerState::HalfOpen);
}

#[test]
fn a_clock_that_is_read_before_the_lock_is_no_step_back() {
    let mut breaker = opened(settings(), secs(10));
    assert_eq!(breaker.acquire(secs(9)).unwrap_err().retry_after, secs(5));
    let probe = breaker.acquire(secs(15)).unwrap();
    breaker.record(probe, Verdict::Success, ms(1), secs(14));
    assert_eq!(breaker.state(secs(3)), BreakerState::HalfOpen);
}
