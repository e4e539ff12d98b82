//! When records go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::world::{Behaviour, Log, World, codec};
use crate::broker::{Gate, LogRecord};
use crate::delivery::gates::{LevelGate, ParkedGate, PressureGate};
use crate::delivery::{Guard, NOT_BEFORE, Parcel, SinkSettings};
use crate::guard::{Clock, Mode, PressureSettings, Switch};
use crate::topology::{Headers, Origin, Sink};

const START_MS: i64 = 1_700_000_000_000;
const LOOK: Duration = Duration::from_millis(200);

fn waiting(offset: u64, not_before_ms: i64) -> LogRecord {
    let origin = Origin { topic: "level".into(), partition: 0, offset, attempt: 0 };
    LogRecord {
        origin,
        key: None,
        headers: Headers::default().with(NOT_BEFORE, not_before_ms.to_string()),
        timestamp_ms: 0,
        value: None,
    }
}

fn guard(log: &Log) -> (World, Guard<u64>) {
    let world = World::new(log, "gates", Clock::at(START_MS), BTreeSet::new());
    let guard = world.guard(0);
    // The budget fills from when it is first asked.
    guard.state().allow_retries(0);
    (world, guard)
}

fn level(guard: &Guard<u64>, longest: Duration) -> LevelGate {
    let waiting = Mutex::new(BTreeMap::new());
    LevelGate { state: guard.state().clone(), look: LOOK, longest, waiting }
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_until_it_is_due() {
    let log = Log::open();
    let (_world, guard) = guard(&log);
    let gate = level(&guard, Duration::from_secs(12));
    // Let the budget fill.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let now = START_MS + 5_000;
    let records = [waiting(0, now - 10), waiting(1, now), waiting(2, now + 3_000), waiting(3, now)];
    let admission = gate.admit(&records);
    assert_eq!((admission.now, admission.wait), (2, Duration::from_millis(3_000)), "order is kept");
    tokio::time::sleep(admission.wait).await;
    assert_eq!(gate.admit(&records[2..]).now, 2);
}

#[tokio::test(start_paused = true)]
async fn a_due_time_of_a_clock_that_is_wrong_holds_nobody_longer_than_the_level() {
    let log = Log::open();
    let (_world, guard) = guard(&log);
    let gate = level(&guard, Duration::from_secs(12));
    let records = [waiting(0, START_MS + 86_400_000)];
    let admission = gate.admit(&records);
    assert_eq!((admission.now, admission.wait), (0, Duration::from_secs(12)));
    tokio::time::sleep(admission.wait).await;
    assert_eq!(gate.admit(&records).now, 1);
}

#[tokio::test(start_paused = true)]
async fn retries_beside_fresh_rows_have_a_fifth_of_the_writes() {
    let log = Log::open();
    let (_world, guard) = guard(&log);
    let gate = level(&guard, Duration::from_secs(12));
    let records: Vec<_> = (0..100_000).map(|offset| waiting(offset, 0)).collect();
    let (mut fresh, mut retried) = (0, 0);
    for _ in 0..1_000 {
        guard.state().fresh(100);
        fresh += 100;
        tokio::time::sleep(Duration::from_millis(10)).await;
        retried += gate.admit(&records).now;
    }
    // A quarter of the fresh rows is a fifth of all; beside it the floor of 100 a second and the burst.
    assert!(retried > fresh / 5 && retried <= fresh / 4 + 100 * 10 + 1_000, "{retried} beside {fresh}");
}

#[tokio::test(start_paused = true)]
async fn parked_records_wait_for_the_switch_and_come_back_on_a_ramp() {
    let log = Log::open();
    let (world, guard) = guard(&log);
    let gate = ParkedGate { state: guard.state().clone(), node: 0, look: LOOK };
    world.switches[0].set(Mode::On);
    let records: Vec<_> = (0..100_000).map(|offset| waiting(offset, 0)).collect();
    let admission = gate.admit(&records);
    assert_eq!((admission.now, admission.wait), (0, LOOK * 50), "the change is told");
    let state = Arc::clone(guard.state());
    let told = tokio::spawn(async move { state.switched().await });
    tokio::task::yield_now().await;
    world.switches[0].set(Mode::Off);
    told.await.unwrap();
    let mut rates = Vec::new();
    // 10, 50 and 100 % of 5,000 a second, two seconds each.
    for _ in 0..3 {
        let mut gone = 0;
        for _ in 0..20 {
            gone += gate.admit(&records).now;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        rates.push(gone / 2);
    }
    let within = |rate: usize, of: usize| rate * 10 >= of * 9 && rate * 10 <= of * 13;
    assert!(within(rates[0], 500) && within(rates[1], 2_500) && within(rates[2], 5_000), "{rates:?}");
}

/// A server that says that it has much to do slows the writes down, then holds fresh records back, and frees both when it
/// says that it has not; the writes themselves take no time.
#[tokio::test(start_paused = true)]
async fn a_busy_server_slows_writes_then_pauses_the_spout_until_it_is_not() {
    let log = Log::open();
    let world = World::new(&log, "busy", Clock::at(START_MS), BTreeSet::new());
    world.fill(std::iter::empty()).await;
    for busy in [(Some(64), None), (None, Some(Duration::from_secs(10)))] {
        let settings = SinkSettings { pressure: Some(PressureSettings::default()), ..SinkSettings::default() };
        let switch = Switch::new(Mode::Off);
        let guard = world.delivery().guard("first", switch.clone(), codec(), settings);
        let (state, gate) = (guard.state().clone(), PressureGate { state: guard.state().clone(), look: LOOK });
        let mut stack = guard.over(world.store(0, |_| Behaviour::Works));
        let row = Arc::new(Parcel::fresh(waiting(7, 0), 7));
        let mut write = async || stack.write(&[&row]).await.map(|rejected| assert!(rejected.is_empty())).unwrap();
        write().await;
        assert_eq!((state.pause(), gate.admit(&[waiting(0, 0), waiting(1, 0)]).now), (Duration::ZERO, 2));

        state.set_server_load(busy.0, busy.1);
        let mut pauses = Vec::new();
        while !state.is_under_pressure() {
            pauses.push(state.pause());
            write().await;
        }
        assert!(pauses.is_sorted() && pauses.contains(&Duration::from_millis(500)), "{pauses:?}");
        let admission = gate.admit(&[waiting(0, 0), waiting(1, 0)]);
        assert_eq!((admission.now, admission.wait), (1, LOOK), "one goes on, to measure by");
        switch.set(Mode::On);
        assert_eq!(
            gate.admit(&[waiting(0, 0), waiting(1, 0)]).now,
            2,
            "a store that takes nothing holds nobody back"
        );
        switch.set(Mode::Off);

        state.set_server_load(None, None);
        while state.pause() > Duration::ZERO {
            write().await;
        }
        assert_eq!(gate.admit(&[waiting(0, 0), waiting(1, 0)]).now, 2);
    }
}
