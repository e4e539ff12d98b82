//! Where rows go that a sink did not store, and what is written of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::world::{Behaviour, Log, World, value_of};
use crate::broker::LogRecord;
use crate::delivery::{Accepts, Counts, Parcel, Parked, Past};
use crate::guard::{Clock, Mode};
use crate::topology::{Class, Headers, Origin, Result, Sink};

const START_MS: i64 = 1_700_000_000_000;

pub(super) fn parcel(value: u64, past: Past) -> Arc<Parcel<u64>> {
    let origin = Origin { topic: "input".into(), partition: 3, offset: 40 + value, attempt: 0 };
    let record = LogRecord {
        origin,
        key: Some(format!("key {value}").into()),
        headers: Headers::default().with("colour", "red"),
        timestamp_ms: 1_234,
        value: Some(value.to_string().into()),
    };
    Arc::new(Parcel { record, value, past })
}

pub(super) fn fresh(values: std::ops::Range<u64>) -> Vec<Arc<Parcel<u64>>> {
    values.map(|value| parcel(value, Past::default())).collect()
}

async fn world(log: &Log, name: &str, poison: &[u64]) -> World {
    let world = World::new(log, name, Clock::at(START_MS), poison.iter().copied().collect::<BTreeSet<_>>());
    world.fill(std::iter::empty()).await;
    world
}

pub(super) async fn write(
    sink: &mut impl Sink<In = Arc<Parcel<u64>>>,
    rows: &[Arc<Parcel<u64>>],
) -> Result<usize> {
    let rows: Vec<&Arc<Parcel<u64>>> = rows.iter().collect();
    sink.write(&rows).await.map(|rejected| rejected.len())
}

async fn parked(world: &World, topic: &str) -> Vec<Parked> {
    world.records(topic).await.iter().map(|record| Parked::read(record).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_failure_has_its_place() {
    let log = Log::open();
    let world = world(&log, "places", &[1]).await;
    let guard = world.guard(0);
    let mut sink = guard.over(world.store(0, |_| Behaviour::Half));
    // 0 and 2 are stored, 1 is poison, 3 is locked.
    assert_eq!(write(&mut sink, &fresh(0..4)).await.unwrap(), 0, "nothing is left to the runtime");
    let waiting = parked(&world, &guard.topics().levels[0]).await;
    assert_eq!(waiting.len(), 1);
    let retry = &waiting[0];
    assert_eq!((retry.class, retry.reason.as_str()), (Class::Retryable, "this row is locked"));
    assert_eq!((retry.sink.as_deref(), retry.version.as_str()), (Some("first"), "v3"));
    let times = (retry.first_failure_ms, retry.last_failure_ms);
    assert!(times.0 == times.1 && times.0 >= START_MS, "{times:?}");
    assert!(retry.not_before_ms >= times.0 + 1_000 && retry.not_before_ms <= times.0 + 1_200, "{retry:?}");
    let mut original = parcel(3, Past::default()).record.clone();
    original.origin.attempt = 1;
    assert_eq!(retry.record, original, "what comes back is what arrived: origin, key, headers, time, bytes");
    let dead = world.dead().await;
    assert_eq!(dead["first"].len(), 1);
    assert_eq!((dead["first"][0].class, value_of(&dead["first"][0].record)), (Class::Poison, Some(1)));
    assert_eq!(world.records(&guard.topics().parked[0]).await.len(), 0);
    assert_eq!(guard.state().counts(), Counts { recovered: 0, retried: 1, parked: 0, dead: 1 });
}

/// Where nobody may bring them back but who has them.
#[tokio::test(start_paused = true)]
async fn without_diversion_a_run_fails_and_only_poison_goes_elsewhere() {
    let log = Log::open();
    let world = world(&log, "undiverted", &[1]).await;
    let guard = world.undiverted(0);
    let mut sink = guard.over(world.store(0, |_| Behaviour::Half));
    let error = write(&mut sink, &fresh(0..4)).await.unwrap_err();
    assert_eq!((error.class(), error.to_string()), (Class::Retryable, "this row is locked".to_owned()));
    assert!(world.dead().await.is_empty(), "all of it comes again");
    assert_eq!(write(&mut sink, &fresh(0..2)).await.unwrap(), 0);
    assert_eq!(value_of(&world.dead().await["first"][0].record), Some(1), "poison has its place");
    world.switches[0].set(Mode::On);
    let refused = write(&mut sink, &fresh(4..5)).await.unwrap_err();
    assert_eq!(refused.class(), Class::Retryable, "{refused}");
    for topic in guard.topics().all() {
        assert_eq!(world.records(topic).await.len(), 0, "{topic}");
    }
    assert_eq!(guard.state().counts(), Counts { recovered: 0, retried: 0, parked: 0, dead: 1 });
}

#[tokio::test(start_paused = true)]
async fn what_fails_again_climbs_the_levels_and_ends_as_a_dead_letter() {
    let log = Log::open();
    let world = world(&log, "climb", &[]).await;
    let guard = world.guard(0);
    // Between the tries of this row the store stores another one: it is the row that fails.
    let mut sink = guard.over(world.store(0, |turn| if turn == 5 { Behaviour::Works } else { Behaviour::Fails }));
    for attempts in 0..=4 {
        if attempts == 4 {
            assert_eq!(write(&mut sink, &fresh(8..9)).await.unwrap(), 0);
        }
        let past =
            Past { attempts, first_failure_ms: (attempts > 0).then_some(START_MS - 5_000), redriven: attempts };
        assert_eq!(write(&mut sink, &[parcel(7, past)]).await.unwrap(), 0);
        // The breaker must not open here: its own test is below.
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let levels = &guard.topics().levels;
    let attempts = |parked: &[Parked]| parked.iter().map(|p| p.record.origin.attempt).collect::<Vec<_>>();
    assert_eq!(attempts(&parked(&world, &levels[0]).await), [1]);
    assert_eq!(attempts(&parked(&world, &levels[1]).await), [2, 3, 4], "the last level repeats");
    let dead = &world.dead().await["first"];
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].class, dead[0].record.origin.attempt), (Class::Retryable, 5));
    assert_eq!(dead[0].first_failure_ms, START_MS - 5_000, "the first failure is remembered");
    assert_eq!(dead[0].redriven, 4, "and how often it was sent back");
}

/// So few rows that the breaker never opens, and a store that is away for a day.
#[tokio::test(start_paused = true)]
async fn a_row_is_not_given_up_while_the_store_has_stored_nothing_since_it_failed() {
    let log = Log::open();
    let world = world(&log, "quiet", &[]).await;
    let guard = world.guard(0);
    let mut sink = guard.over(world.store(0, |turn| if turn == 1 { Behaviour::Works } else { Behaviour::Fails }));
    assert_eq!(write(&mut sink, &fresh(8..9)).await.unwrap(), 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let first = world.clock.unix_ms();
    for attempts in 4..100 {
        let again = Past { attempts, first_failure_ms: Some(first), ..Past::default() };
        assert_eq!(write(&mut sink, &[parcel(7, again)]).await.unwrap(), 0);
        tokio::time::sleep(Duration::from_secs(900)).await;
    }
    assert_eq!(parked(&world, &guard.topics().levels[1]).await.len(), 96, "the longest level");
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_switched_off_is_not_touched_and_its_rows_are_parked() {
    let log = Log::open();
    let world = world(&log, "off", &[]).await;
    let guard = world.guard(0);
    let mut sink = guard.over(world.store(0, |_| Behaviour::Works));
    world.switches[0].set(Mode::On);
    assert_eq!(write(&mut sink, &fresh(0..5)).await.unwrap(), 0);
    assert!(world.shelves[0].lock().unwrap().offers.is_empty(), "the store is not touched");
    let waiting = parked(&world, &guard.topics().parked[0]).await;
    assert_eq!(waiting.len(), 5);
    assert!(waiting.iter().all(|p| p.class == Class::Refused && p.record.origin.attempt == 0));
    world.switches[0].set(Mode::Off);
    assert_eq!(write(&mut sink, &fresh(5..7)).await.unwrap(), 0);
    assert_eq!(world.shelves[0].lock().unwrap().stored, BTreeSet::from([5, 6]));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_again_and_again_is_left_alone_then_probed_and_taken_back() {
    let log = Log::open();
    let world = world(&log, "breaker", &[]).await;
    let guard = world.guard(0);
    let mut sink = guard.over(world.store(0, |turn| if turn <= 4 { Behaviour::Fails } else { Behaviour::Works }));
    for value in 0..20 {
        assert_eq!(write(&mut sink, &fresh(value..value + 1)).await.unwrap(), 0);
    }
    assert_eq!(world.shelves[0].lock().unwrap().offers.len(), 4, "after four failures it is left alone");
    assert_eq!(world.records(&guard.topics().levels[0]).await.len(), 3);
    assert_eq!(world.records(&guard.topics().parked[0]).await.len(), 17, "the fourth opened the breaker");
    // It opens for probes, closes, and lets a growing share through.
    for value in 20..200 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(write(&mut sink, &fresh(value..value + 1)).await.unwrap(), 0);
    }
    assert!(world.shelves[0].lock().unwrap().stored.contains(&199));
    let stored = world.shelves[0].lock().unwrap().stored.len() as u64;
    let waiting = world.waiting(0).await.len() as u64;
    assert!(stored + waiting >= 200, "{stored} stored and {waiting} waiting of 200");
}

#[tokio::test(start_paused = true)]
async fn rows_that_find_the_store_still_away_neither_climb_nor_are_given_up() {
    let log = Log::open();
    let world = world(&log, "outage", &[]).await;
    let guard = world.guard(0);
    let mut sink = guard.over(world.store(0, |_| Behaviour::Fails));
    // More probes than a row has attempts: the store is away for ten minutes.
    for _ in 0..600 {
        let again = Past { attempts: 1, first_failure_ms: Some(START_MS), ..Past::default() };
        assert_eq!(write(&mut sink, &[parcel(7, again)]).await.unwrap(), 0);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(world.shelves[0].lock().unwrap().offers.len() > 10, "it was tried");
    assert_eq!(world.records(&guard.topics().levels[1]).await.len(), 3, "before the breaker opened");
    let waiting = parked(&world, &guard.topics().parked[0]).await;
    assert_eq!(waiting.len(), 597);
    assert!(waiting.iter().all(|parked| parked.record.origin.attempt == 1 && parked.not_before_ms == 0));
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_switch_in_auto_takes_the_store_out_and_brings_it_back() {
    let log = Log::open();
    let world = world(&log, "auto", &[]).await;
    world.switches[0].set(Mode::Auto);
    let guard = world.guard(0);
    let fails = |turn| if turn <= 6 { Behaviour::Fails } else { Behaviour::Works };
    let mut sink = guard.over(world.store(0, fails));
    let mut last = 0;
    for value in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(write(&mut sink, &fresh(value..value + 1)).await.unwrap(), 0);
        last = value;
    }
    assert!(world.shelves[0].lock().unwrap().stored.contains(&last), "it came back by itself");
    assert!(!world.records(&guard.topics().parked[0]).await.is_empty(), "it was out of the path");
    let flips = guard.state().take_flips();
    assert_eq!(flips.iter().map(|flip| flip.on).collect::<Vec<_>>(), [true, false], "{flips:?}");
    assert!(flips.iter().all(|flip| !flip.reason.is_empty()));
    assert!(guard.state().take_flips().is_empty(), "each is told once");
}

/// What an automatic switch knew before somebody set it by hand is of no account afterwards.
#[tokio::test(start_paused = true)]
async fn a_switch_that_is_set_to_auto_goes_on_from_where_it_was_put_by_hand() {
    let log = Log::open();
    let world = world(&log, "hand", &[]).await;
    let guard = world.guard(0);
    let state = guard.state();
    for (by_hand, accepts) in [(Mode::On, Accepts::Nothing), (Mode::Off, Accepts::Rows)] {
        world.switches[0].set(by_hand);
        assert_eq!(state.accepts(), accepts);
        world.switches[0].set(Mode::Auto);
        assert_eq!(state.accepts(), accepts, "auto after {by_hand}");
    }
    assert!(state.take_flips().is_empty());
    // With nothing amiss it comes back by itself after the dwell.
    world.switches[0].set(Mode::On);
    state.accepts();
    world.switches[0].set(Mode::Auto);
    for _ in 0..60 {
        state.accepts();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(state.accepts(), Accepts::Rows);
    assert_eq!(state.take_flips().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_ends_in_time_and_is_tried_again_later() {
    let log = Log::open();
    let world = world(&log, "hang", &[]).await;
    let guard = world.guard(0);
    let mut sink = guard.over(world.store(0, |_| Behaviour::Hangs));
    assert_eq!(write(&mut sink, &fresh(0..2)).await.unwrap(), 0);
    let waiting = parked(&world, &guard.topics().levels[0]).await;
    assert_eq!(waiting.len(), 2);
    assert!(waiting[0].reason.contains("no answer within 3s"), "{}", waiting[0].reason);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_take_them_fails_the_write_and_nothing_is_acknowledged() {
    let log = Log::open();
    let world = world(&log, "gone", &[]).await;
    let guard = world.guard(0);
    let mut sink = guard.over(world.store(0, |_| Behaviour::Fails));
    world.broker.delete_topic(&guard.topics().levels[0]).await.unwrap();
    assert!(write(&mut sink, &fresh(0..2)).await.is_err());
}

#[test]
fn a_record_that_does_not_say_where_it_comes_from_is_refused_by_name() {
    let record = parcel(1, Past::default()).record.clone();
    let error = Parked::read(&record).unwrap_err();
    assert_eq!(error.to_string(), "input[3]@41 is no parked record: its header squall-attempts is missing");
}
