//! The producer over a log that goes away, hangs, refuses, and comes back; on paused time.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::super::{Durable, DurableError, Health, Spill, SpillSettings};
use super::{Log, durable, record, settings, soon, until};
use crate::broker::Append;
use crate::guard::Clock;
use crate::service::http::Deadline;

#[tokio::test(start_paused = true)]
async fn records_go_to_the_log_while_it_is_there() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, settings(dir.path())).await;
    for n in 0..10 {
        assert_eq!(producer.append("t", vec![record(n.to_string())], soon()).await.unwrap(), Durable::Log);
    }
    assert_eq!(log.texts().len(), 10);
    let status = producer.status();
    assert_eq!((status.to_log, status.to_spill, status.log), (10, 0, "closed"));
    assert_eq!(producer.health(), Health::Well);
    producer.close().await;
    assert!(matches!(producer.append("t", vec![record("x")], soon()).await, Err(DurableError::Stopping)));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_gone_through_and_drained_in_order() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, settings(dir.path())).await;
    log.away(true);
    for n in 0..500 {
        let to = producer.append("t", vec![record(format!("{n:03}"))], soon()).await.unwrap();
        assert_eq!(to, Durable::Spill);
        sleep(Duration::from_millis(20)).await;
    }
    assert!(log.calls() < 60, "the breaker spares the log: {} calls", log.calls());
    let status = producer.status();
    assert_eq!((status.to_spill, status.spill.records), (500, 500));
    assert!(status.spill.oldest_age_ms.unwrap() >= 9_000, "{status:?}");
    assert!(matches!(producer.health(), Health::Degraded(why) if why.contains("500 records wait on the disk")));
    log.away(false);
    until("the spill is drained", || producer.status().spill.records == 0).await;
    let texts = log.texts();
    assert_eq!(texts, (0..500).map(|n| format!("{n:03}")).collect::<Vec<_>>());
    assert_eq!(producer.append("t", vec![record("fresh")], soon()).await.unwrap(), Durable::Log);
    assert_eq!(producer.health(), Health::Well);
    producer.close().await;
}

#[tokio::test(start_paused = true)]
async fn fresh_records_do_not_wait_for_the_drain() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, settings(dir.path())).await;
    log.away(true);
    // Twice what is drained in a second.
    for n in 0..40 {
        let records = (0..1000).map(|m| record(format!("{n}/{m}"))).collect();
        producer.append("t", records, soon()).await.unwrap();
    }
    log.away(false);
    until("the drain has begun", || producer.status().spill.drained > 0).await;
    assert_eq!(producer.append("t", vec![record("fresh")], soon()).await.unwrap(), Durable::Log);
    assert!(producer.status().spill.records > 10_000, "the drain keeps its rate");
    let began = Instant::now();
    until("the spill is drained", || producer.status().spill.records == 0).await;
    assert!(began.elapsed() >= Duration::from_millis(500), "the drain keeps its rate");
    let texts = log.texts();
    let fresh = texts.iter().position(|text| text == "fresh").unwrap();
    assert!(fresh < texts.len() - 10_000, "it stands before what was spilled");
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), 40_001);
    producer.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_hangs_costs_the_wait_and_no_more() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, settings(dir.path())).await;
    log.hangs(true);
    let began = Instant::now();
    assert_eq!(producer.append("t", vec![record("0")], soon()).await.unwrap(), Durable::Spill);
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    let hurry = Deadline::after(Duration::from_millis(300));
    let began = Instant::now();
    assert_eq!(producer.append("t", vec![record("1")], hurry).await.unwrap(), Durable::Spill);
    assert_eq!(began.elapsed(), Duration::from_millis(150), "half of what the caller has");
    let passed = Deadline::after(Duration::ZERO);
    sleep(Duration::from_millis(1)).await;
    let late = producer.append("t", vec![record("2")], passed).await;
    assert!(matches!(late, Err(DurableError::Late)), "{late:?}");
    log.hangs(false);
    until("the spill is drained", || producer.status().spill.records == 0).await;
    assert_eq!(log.texts(), ["0", "1"], "of what came too late there is nothing");
    producer.close().await;
}

/// While the log works, who has no time for it is told so: the disk is for when it does not.
#[tokio::test(start_paused = true)]
async fn callers_in_a_great_hurry_do_not_fill_the_disk() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, settings(dir.path())).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(producer.append("t", vec![record("0")], soon()).await.unwrap(), Durable::Log);
    log.hangs(true);
    let hurry = || Deadline::after(Duration::from_millis(300));
    let began = Instant::now();
    let late = producer.append("t", vec![record("1")], hurry()).await;
    assert!(matches!(late, Err(DurableError::Late)), "{late:?}");
    assert_eq!(began.elapsed(), Duration::from_millis(300), "all that the caller has");
    assert_eq!((producer.status().spill.appended, producer.status().unavailable), (0, 1));
    // Nobody has found for a second that it works.
    sleep(Duration::from_millis(701)).await;
    assert_eq!(producer.append("t", vec![record("2")], hurry()).await.unwrap(), Durable::Spill);
    producer.close().await;
}

/// Callers that each wait for less than half of what the log may take find out together that it hangs.
#[tokio::test(start_paused = true)]
async fn callers_in_a_hurry_find_out_that_the_log_hangs() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, settings(dir.path())).await;
    log.hangs(true);
    for n in 0..3 {
        let hurry = Deadline::after(Duration::from_millis(900));
        assert_eq!(producer.append("t", vec![record(n.to_string())], hurry).await.unwrap(), Durable::Spill);
    }
    assert_eq!(producer.status().log, "open");
    producer.close().await;
}

/// Callers that hang up before the log would be given up find it out too, and the next one has the disk.
#[tokio::test(start_paused = true)]
async fn callers_who_hang_up_find_out_that_the_log_hangs() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, settings(dir.path())).await;
    let hangs_up = || timeout(Duration::from_millis(400), producer.append("t", vec![record("0")], soon()));
    log.hangs(true);
    for _ in 0..3 {
        assert_eq!(producer.status().log, "closed");
        hangs_up().await.unwrap_err();
    }
    assert_eq!(producer.status().log, "open");
    until("one may probe", || producer.status().log == "half-open").await;
    hangs_up().await.unwrap_err();
    assert_eq!(producer.status().log, "open", "one that hangs up fails as the probe");
    assert_eq!(hangs_up().await.unwrap().unwrap(), Durable::Spill);
    producer.close().await;
}

/// While the disk stands still, what waits for it in memory is bounded; who finds no room waits no longer than he can.
#[tokio::test(start_paused = true)]
async fn what_waits_for_the_disk_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let one = Append { value: Some(vec![b'x'; 6_000].into()), ..Append::default() };
    let settings = SpillSettings { queue_bytes: 10_000, ..settings(dir.path()) };
    let (spill, _reader) = Spill::open(settings, Clock::new()).await.unwrap();
    // The writer runs only when this task waits.
    let mut first = Box::pin(spill.append("t", vec![one.clone()]));
    let mut second = Box::pin(spill.append("t", vec![one.clone()]));
    assert!(futures_util::poll!(&mut first).is_pending() && futures_util::poll!(&mut second).is_pending());
    assert!(spill.status().bytes < 12_000, "the second is not taken yet");
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    second.unwrap();
    // One that is larger than all of the room goes alone.
    let large = Append { value: Some(vec![b'x'; 30_000].into()), ..Append::default() };
    spill.append("t", vec![large]).await.unwrap();
    assert_eq!(spill.status().records, 3);
    spill.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_spill_refuses_and_says_for_how_long() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, SpillSettings { max_bytes: 65_536, ..settings(dir.path()) }).await;
    log.away(true);
    let mut promised = Vec::new();
    let refused = loop {
        let text = format!("{:0>1000}", promised.len());
        match producer.append("t", vec![record(text.clone())], soon()).await {
            Ok(_) => promised.push(text),
            Err(error) => break error,
        }
    };
    let DurableError::Unavailable { retry_after, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(*retry_after, Duration::from_secs(5));
    assert!(refused.to_string().contains("bring the log back, or raise max_bytes"), "{refused}");
    assert!(matches!(producer.health(), Health::Down(why) if why.contains("full")));
    assert_eq!(producer.status().unavailable, 1);
    log.away(false);
    until("the spill is drained", || producer.status().spill.records == 0).await;
    assert_eq!(log.texts(), promised);
    assert_eq!(producer.append("t", vec![record("again")], soon()).await.unwrap(), Durable::Log);
    producer.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_the_spill_for_the_next_start() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, settings(dir.path())).await;
    log.away(true);
    for n in 0..100 {
        producer.append("t", vec![record(format!("{n:03}"))], soon()).await.unwrap();
    }
    producer.close().await;
    drop(producer);
    log.away(false);
    assert!(log.texts().is_empty());
    let producer = durable(&log, settings(dir.path())).await;
    until("the spill is drained", || producer.status().spill.records == 0).await;
    assert_eq!(log.texts(), (0..100).map(|n| format!("{n:03}")).collect::<Vec<_>>());
    producer.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_log_refuses_for_good_is_refused_or_kept_never_dropped() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
    let producer = durable(&log, settings(dir.path())).await;
    log.largest.store(10, Ordering::SeqCst);
    let refused = producer.append("t", vec![record("x".repeat(11))], soon()).await.unwrap_err();
    assert!(matches!(refused, DurableError::Refused { .. }), "{refused:?}");
    assert_eq!(producer.status().spill.records, 0);
    // While the log is away nobody knows its limit.
    log.largest.store(0, Ordering::SeqCst);
    log.away(true);
    for text in ["before", "too large for it", "behind"] {
        producer.append("t", vec![record(text)], soon()).await.unwrap();
    }
    log.largest.store(10, Ordering::SeqCst);
    log.away(false);
    until("it is stuck", || producer.status().spill.failure.is_some()).await;
    assert_eq!(log.texts(), ["before"]);
    assert!(matches!(producer.health(), Health::Degraded(why) if why.contains("exceeds the limit of 10")));
    log.largest.store(100, Ordering::SeqCst);
    until("the spill is drained", || producer.status().spill.records == 0).await;
    assert_eq!(log.texts(), ["before", "too large for it", "behind"]);
    assert_eq!(producer.health(), Health::Well);
    producer.close().await;
}

/// Outages of random lengths, calls that fail after the log took the records, hangs, restarts: by seed.
#[tokio::test(start_paused = true)]
async fn nothing_promised_is_lost_under_any_schedule() {
    for seed in 1..=12_u64 {
        let (dir, log) = (tempfile::tempdir().unwrap(), Arc::<Log>::default());
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut producer = durable(&log, SpillSettings { max_bytes: 200_000, ..settings(dir.path()) }).await;
        let mut promised = BTreeSet::new();
        for step in 0..150 {
            match draw(12) {
                0 => log.away(draw(2) == 0),
                1 => log.hangs(draw(3) == 0),
                2 => log.unknown.lock().unwrap().push_back(draw(2) == 0),
                3 => sleep(Duration::from_millis(draw(20_000))).await,
                4 if draw(4) == 0 => {
                    producer.close().await;
                    drop(producer);
                    producer = durable(&log, SpillSettings { max_bytes: 200_000, ..settings(dir.path()) }).await;
                }
                _ => {
                    let texts: Vec<String> = (0..=draw(20)).map(|n| format!("{step}/{n}")).collect();
                    let records = texts.iter().map(|text| record(text.clone())).collect();
                    if producer.append("t", records, soon()).await.is_ok() {
                        promised.extend(texts);
                    }
                }
            }
        }
        log.away(false);
        log.hangs(false);
        log.unknown.lock().unwrap().clear();
        until("the spill is drained", || producer.status().spill.records == 0).await;
        assert_eq!(producer.status().spill.bytes, 0, "seed {seed}");
        let stored: BTreeSet<String> = log.texts().into_iter().collect();
        let lost: Vec<_> = promised.difference(&stored).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?}");
        assert!(promised.len() > 100, "seed {seed}: the schedule did nothing");
        producer.close().await;
    }
}
