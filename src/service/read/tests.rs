use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::lag::History;
use super::*;
use crate::broker::Bounds;
use crate::guard::{BreakerSettings, BreakerState};
use crate::service::http::Deadline;
use crate::store::StoreError;

const STEP: Duration = Duration::from_millis(100);

fn gate(max_in_flight: usize) -> ReadGate {
    let breaker = BreakerSettings { minimum_calls: 4, window_calls: 4, ..BreakerSettings::default() };
    ReadGate::new("test", GateSettings { step: STEP, max_in_flight, max_wait: STEP / 2, breaker })
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

async fn down() -> Result<(), StoreError> {
    Err(StoreError::Unavailable { store: "test", reason: "down".into() })
}

async fn hangs() -> Result<(), StoreError> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn failures_of_the_store_open_the_breaker_of_their_interface_alone() {
    let (mine, calls) = (gate(8), AtomicUsize::new(0));
    let other = mine.beside(STEP);
    for n in 0..4 {
        let ended = if n % 2 == 0 { mine.call(soon(), down()).await } else { mine.call(soon(), hangs()).await };
        assert!(matches!(ended, Err(Unread::Store(_) | Unread::Slow { .. })));
    }
    let refused = mine.call(soon(), async { Ok(calls.fetch_add(1, Ordering::Relaxed)) }).await.unwrap_err();
    assert!(matches!(refused, Unread::Refused { .. }) && !refused.retry_after().is_zero());
    assert_eq!((calls.load(Ordering::Relaxed), mine.status().state), (0, BreakerState::Open));
    other.call(soon(), async { Ok(()) }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_callers_do_opens_nothing() {
    let gate = gate(8);
    for _ in 0..20 {
        let bad = StoreError::BadRow { store: "test", reason: "too long".into() };
        assert!(matches!(gate.call(soon(), async { Err::<(), _>(bad) }).await, Err(Unread::Store(_))));
        let hasty = Deadline::after(STEP / 4);
        assert!(matches!(gate.call(hasty, hangs()).await, Err(Unread::Late)));
        assert!(matches!(gate.call(hasty, async { Ok(()) }).await, Err(Unread::Late)), "nothing is begun");
        let _dropped = tokio::time::timeout(STEP / 4, gate.call(soon(), hangs())).await;
    }
    assert_eq!(gate.status().state, BreakerState::Closed);
    gate.call(soon(), async { Ok(()) }).await.unwrap();
}

/// As a page does that is left, and an application whose own bound is lower than the step.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_found_out_by_callers_who_hang_up() {
    let gate = gate(8);
    let hangs_up = |after| tokio::time::timeout(after, gate.call(soon(), hangs()));
    for _ in 0..8 {
        sleep(Duration::from_millis(1)).await;
        gate.call(soon(), async { Ok(()) }).await.unwrap();
        hangs_up(STEP / 2).await.unwrap_err();
    }
    assert_eq!(gate.status().state, BreakerState::Closed, "others have their answers");
    sleep(Duration::from_secs(60)).await;
    for _ in 0..4 {
        hangs_up(STEP / 2).await.unwrap_err();
    }
    assert_eq!(gate.status().state, BreakerState::Open);
    sleep(BreakerSettings::default().open_for).await;
    assert_eq!(gate.status().state, BreakerState::HalfOpen);
    hangs_up(STEP / 2).await.unwrap_err();
    assert_eq!(gate.status().state, BreakerState::Open, "the probe too");
}

/// Callers none of whom has as much time as a call may take; one who asks for too much is no proof.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_found_out_by_callers_in_a_hurry() {
    let gate = gate(8);
    for _ in 0..8 {
        sleep(Duration::from_millis(1)).await;
        gate.call(soon(), async { Ok(()) }).await.unwrap();
        assert!(matches!(gate.call(Deadline::after(STEP / 2), hangs()).await, Err(Unread::Late)));
    }
    assert_eq!(gate.status().state, BreakerState::Closed, "others have their answers");
    sleep(Duration::from_secs(60)).await;
    for _ in 0..4 {
        assert!(matches!(gate.call(Deadline::after(STEP / 2), hangs()).await, Err(Unread::Late)));
    }
    assert_eq!(gate.status().state, BreakerState::Open);
    sleep(BreakerSettings::default().open_for).await;
    assert!(matches!(gate.call(Deadline::after(STEP / 2), hangs()).await, Err(Unread::Late)));
    assert_eq!(gate.status().state, BreakerState::Open, "the probe too");
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_racers_one_is_the_probe_and_one_that_hangs_opens_it_again() {
    let gate = gate(2_000);
    for _ in 0..4 {
        gate.call(soon(), down()).await.unwrap_err();
    }
    sleep(Duration::from_secs(5)).await;
    let (calls, mut racers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..1_000 {
        let (gate, calls) = (gate.clone(), calls.clone());
        racers.spawn(async move {
            let probe = async {
                calls.fetch_add(1, Ordering::Relaxed);
                hangs().await
            };
            gate.call(soon(), probe).await.unwrap_err()
        });
    }
    let ended = racers.join_all().await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(ended.iter().filter(|end| matches!(end, Unread::Slow { .. })).count(), 1);
    assert_eq!(gate.status().state, BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_bound_wait_a_little() {
    let gate = gate(1);
    let holder = tokio::spawn({
        let gate = gate.clone();
        async move { gate.call(soon(), hangs()).await }
    });
    tokio::task::yield_now().await;
    assert!(matches!(gate.call(soon(), async { Ok(()) }).await, Err(Unread::Busy { .. })));
    gate.clone().waiting(STEP).call(soon(), async { Ok(()) }).await.unwrap();
    assert!(matches!(holder.await.unwrap(), Err(Unread::Slow { .. })));
    gate.call(soon(), async { Ok(()) }).await.unwrap();
}

/// A server goes on with a query that its client has given up.
#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_counts_until_it_has_ended() {
    let gate = gate(1);
    let long = async {
        sleep(10 * STEP).await;
        Ok(())
    };
    assert!(matches!(gate.call_to_its_end(soon(), long).await, Err(Unread::Slow { .. })));
    assert!(matches!(gate.call(soon(), async { Ok(()) }).await, Err(Unread::Busy { .. })));
    sleep(9 * STEP).await;
    gate.call_to_its_end(soon(), async { Ok(()) }).await.unwrap();
    let dropped = tokio::time::timeout(
        STEP / 4,
        gate.call_to_its_end(soon(), async {
            sleep(2 * STEP).await;
            Ok(())
        }),
    );
    assert!(dropped.await.is_err());
    assert!(
        matches!(gate.call(soon(), async { Ok(()) }).await, Err(Unread::Busy { .. })),
        "also of one that is dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn a_thing_is_read_once_however_many_ask_and_whoever_leaves() {
    let (flights, reads) = (Flights::new(100), Arc::new(AtomicUsize::new(0)));
    let ask = || {
        let (flights, reads) = (flights.clone(), reads.clone());
        let load = async move {
            sleep(STEP).await;
            reads.fetch_add(1, Ordering::Relaxed)
        };
        async move { flights.run("key", load).await }
    };
    let first = tokio::spawn(ask());
    tokio::task::yield_now().await;
    let mut others = JoinSet::new();
    (0..1_000).for_each(|_| _ = others.spawn(ask()));
    tokio::task::yield_now().await;
    first.abort();
    assert!(others.join_all().await.into_iter().all(|read| read == 0));
    assert_eq!(ask().await, 1, "nothing is kept");
}

#[tokio::test(start_paused = true)]
async fn the_lag_is_what_is_not_committed_and_its_age_is_never_too_small() {
    let (mut history, start) = (History::default(), Instant::now());
    let held = |partition, latest| Bounds { partition, earliest: 10, latest };
    let mut look = |at_s, latest: [u64; 2], committed: [Option<u64>; 2]| {
        let bounds = [held(0, latest[0]), held(1, latest[1])];
        let standing = history.standing(start + Duration::from_secs(at_s), &bounds, &committed);
        (standing.records, standing.age_ms)
    };
    assert_eq!(look(0, [20, 10], [Some(15), None]), (5, None), "it was there before the first look");
    assert_eq!(look(1, [20, 10], [Some(20), None]), (0, Some(0)));
    assert_eq!(look(2, [30, 10], [Some(20), None]), (10, Some(1_000)));
    assert_eq!(look(5, [30, 40], [Some(25), None]), (35, Some(4_000)), "the older of both");
    assert_eq!(look(6, [30, 40], [Some(5), Some(99)]), (20, None), "what is outside counts from the edge");
}
