#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;

use tokio::sync::Barrier;

use super::{ms, secs};
use crate::guard::{BreakerSettings, BreakerState, SharedBreaker, SharedPermit, Verdict};

/// A breaker that is half-open at 5 s.
fn opened(probes: usize) -> SharedBreaker {
    let breaker = SharedBreaker::new(BreakerSettings { probes, ..BreakerSettings::default() });
    for _ in 0..10 {
        breaker.acquire(secs(0)).unwrap().record(Verdict::Failure, ms(1), secs(0));
    }
    breaker
}

/// The permits that 1,000 tasks get which ask at once.
async fn race(breaker: &SharedBreaker) -> Vec<SharedPermit> {
    let start = Arc::new(Barrier::new(1_000));
    let racers: Vec<_> = (0..1_000)
        .map(|_| {
            let (breaker, start) = (breaker.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                breaker.acquire(secs(5)).ok()
            })
        })
        .collect();
    let mut permits = Vec::new();
    for racer in racers {
        permits.extend(racer.await.unwrap());
    }
    permits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_racers_exactly_as_many_probe_as_may() {
    for probes in [1, 2, 7] {
        let breaker = opened(probes);
        let permits = race(&breaker).await;
        assert_eq!(permits.len(), probes);
        drop(permits);
        assert_eq!(race(&breaker).await.len(), probes, "what is dropped gives its slot back, no more and no less");
        assert_eq!(breaker.state(secs(5)), BreakerState::HalfOpen);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_task_that_is_aborted_gives_its_slot_back() {
    let breaker = opened(1);
    let permit = breaker.acquire(secs(5)).unwrap();
    let task = tokio::spawn(async move {
        std::future::pending::<()>().await;
        permit.record(Verdict::Success, ms(1), secs(5));
    });
    assert!(breaker.acquire(secs(5)).is_err());
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let status = breaker.status(secs(5));
    assert_eq!((status.state, status.changes), (BreakerState::HalfOpen, 2));
    breaker.acquire(secs(5)).unwrap().record(Verdict::Failure, ms(1), secs(5));
    assert_eq!(breaker.state(secs(5)), BreakerState::Open);
}
