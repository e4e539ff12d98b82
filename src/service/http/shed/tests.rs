//! What gets through under load, on paused time.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::routing::get;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, sleep_until};
use tower::ServiceExt;

use super::*;
use crate::service::http::{Code, Deadline};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn shed(max_in_flight: usize, max_waiting: usize, wait_ms: u64) -> Shed {
    let settings = ShedSettings { max_in_flight, max_waiting, max_wait: ms(wait_ms), ..ShedSettings::default() };
    Shed::new(settings)
}

fn standing(shed: &Shed) -> (usize, usize, u64) {
    let ShedStanding { in_flight, waiting, refused } = shed.standing();
    (in_flight, waiting, refused)
}

#[tokio::test(start_paused = true)]
async fn who_came_last_goes_first_and_who_waited_longest_leaves_for_a_new_one() {
    let shed = shed(1, 2, 100);
    let slot = shed.enter(None).await.unwrap();
    let (order, mut waiting) = (Arc::new(std::sync::Mutex::new(Vec::new())), JoinSet::new());
    for name in 1..=3 {
        let (shed, order) = (shed.clone(), order.clone());
        waiting.spawn(async move {
            let entered = shed.enter(None).await.map(drop).map_err(|problem| problem.code());
            order.lock().unwrap().push((name, entered));
        });
        yield_now().await;
    }
    yield_now().await;
    assert_eq!(*order.lock().unwrap(), [(1, Err(Code::Overloaded))]);
    assert_eq!(standing(&shed), (1, 2, 1));
    drop(slot);
    waiting.join_all().await;
    assert_eq!(order.lock().unwrap()[1..], [(3, Ok(())), (2, Ok(()))]);
    assert_eq!(standing(&shed), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_its_time_or_the_deadline() {
    let shed = shed(1, 2, 100);
    let slot = shed.enter(None).await.unwrap();
    let began = Instant::now();
    let refused = shed.enter(None).await.unwrap_err();
    assert_eq!((refused.code(), began.elapsed()), (Code::Overloaded, ms(100)));
    shed.enter(Some(Deadline::after(ms(30)))).await.unwrap_err();
    assert_eq!((began.elapsed(), standing(&shed)), (ms(130), (1, 0, 2)));
    let none = self::shed(1, 0, 100);
    let _slot = none.enter(None).await.unwrap();
    none.enter(None).await.unwrap_err();
    assert_eq!(began.elapsed(), ms(130), "nobody waits where nobody may");
    drop(slot);
    shed.enter(None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_no_trace() {
    let shed = shed(1, 5, 1_000);
    let slot = shed.enter(None).await.unwrap();
    for _ in 0..3 {
        let waiting = tokio::time::timeout(ms(10), shed.enter(None)).await;
        assert!(waiting.is_err());
    }
    assert_eq!(standing(&shed), (1, 0, 0));
    // The place is given to one that is dropped before it looks: it goes on to the next.
    let mut first = Box::pin(shed.enter(None));
    let mut second = Box::pin(shed.enter(None));
    tokio::select! {
        biased;
        _ = &mut first => panic!("there is no place"),
        _ = &mut second => panic!("there is no place"),
        () = sleep(ms(1)) => {}
    }
    drop(slot);
    drop(second);
    let slot = first.await.unwrap();
    assert_eq!(standing(&shed), (1, 0, 0));
    drop(slot);
    assert_eq!(standing(&shed), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_router_answers_503_with_retry_after_beyond_it() {
    let work = || async {
        sleep(ms(50)).await;
        "done"
    };
    let shed = shed(2, 1, 20);
    let router = Router::new().route("/", get(work)).layer(shed.layer());
    let mut answers = JoinSet::new();
    for _ in 0..5 {
        answers.spawn(router.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()));
        yield_now().await;
    }
    let answers: Vec<_> = answers.join_all().await.into_iter().map(Result::unwrap).collect();
    let refused: Vec<_> =
        answers.iter().filter(|answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE).collect();
    assert_eq!((answers.len(), refused.len()), (5, 3));
    assert!(refused.iter().all(|answer| answer.headers()[RETRY_AFTER] == "1"));
    assert_eq!(standing(&shed), (0, 0, 3));
}

/// Lanes of the service, and how long a request takes in one.
const LANES: usize = 8;
const WORK: Duration = ms(10);
/// How long a caller waits. What comes later is of no use to it, though the service has worked for it.
const PATIENCE: Duration = ms(100);
const FOR: Duration = Duration::from_secs(5);

/// Answers in time, of a service that can give 800 a second and gets `per_second`.
async fn goodput(shed: Option<Shed>, per_second: u32) -> u64 {
    let (lanes, good) = (Arc::new(Semaphore::new(LANES)), Arc::new(AtomicU64::new(0)));
    let (began, mut calls) = (Instant::now(), JoinSet::new());
    let mut at = began;
    while at < began + FOR {
        sleep_until(at).await;
        let (shed, lanes, good) = (shed.clone(), lanes.clone(), good.clone());
        calls.spawn(async move {
            let came = Instant::now();
            let slot = match shed {
                Some(shed) => shed.enter(None).await.map(Some),
                None => Ok(None),
            };
            if slot.is_ok() {
                let _lane = lanes.acquire().await.unwrap();
                sleep(WORK).await;
                if came.elapsed() <= PATIENCE {
                    good.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        at += Duration::from_secs(1) / per_second;
    }
    calls.join_all().await;
    good.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn at_three_times_the_load_nearly_all_that_can_be_done_is_done_in_time() {
    let shed = || Some(shed(LANES, 16, 50));
    let mut peak = 0;
    for per_second in [400, 600, 700, 800] {
        peak = goodput(shed(), per_second).await.max(peak);
    }
    let overloaded = goodput(shed(), 2_400).await;
    assert!(overloaded * 10 >= peak * 9, "{overloaded} of {peak}");
    // Not by itself so: without it the service works for callers that have gone.
    let without = goodput(None, 2_400).await;
    assert!(without * 2 < peak, "{without} of {peak}");
}
