use std::time::Duration;

use proptest::prelude::*;

use super::{ms, secs};
use crate::guard::{Level, Load, Pressure, PressureSettings};

/// Every observation counts whole, and may be a step.
fn direct() -> PressureSettings {
    PressureSettings {
        latency_high: ms(100),
        latency_low: ms(50),
        smoothing: 1.0,
        slow_step: ms(20),
        slow_max: ms(50),
        step_every: Duration::ZERO,
        ..PressureSettings::default()
    }
}

fn latency(latency: u64) -> Load {
    Load { latency: ms(latency), threads_running: None, replication_lag: None }
}

#[test]
fn it_slows_step_by_step_pauses_and_comes_back_below_the_low_mark_only() {
    let mut gauge = Pressure::new(direct());
    let mut levels = |loads: &[u64]| -> Vec<Level> {
        loads.iter().map(|load| gauge.observe(secs(0), latency(*load))).collect()
    };
    let slow = |pause| Level::Slow(ms(pause));
    assert_eq!(levels(&[99, 100, 100, 100]), [Level::Free, slow(20), slow(40), slow(50)]);
    assert_eq!(levels(&[100, 500, 99, 50]), [Level::Paused; 4], "between the marks nothing changes");
    assert_eq!(levels(&[49, 49, 60, 49, 49]), [slow(50), slow(30), slow(30), slow(10), Level::Free]);
}

#[test]
fn any_signal_slows_and_all_have_to_be_low() {
    let mut gauge = Pressure::new(direct());
    let load = |threads_running, replication_lag| Load { threads_running, replication_lag, ..latency(1) };
    assert_eq!(gauge.observe(secs(0), load(Some(64), None)), Level::Slow(ms(20)));
    assert_eq!(gauge.observe(secs(0), load(None, Some(secs(10)))), Level::Slow(ms(40)));
    let reason = gauge.reason();
    assert_eq!(reason.as_deref(), Some("replication lag is 10000 ms (high from 10000, low below 2000)"));
    assert_eq!(gauge.observe(secs(0), load(Some(40), Some(secs(1)))), Level::Slow(ms(40)));
    assert_eq!(gauge.observe(secs(0), load(Some(31), Some(secs(1)))), Level::Slow(ms(20)));
    assert_eq!((gauge.observe(secs(0), load(None, None)), gauge.reason()), (Level::Free, None));
}

#[test]
fn one_slow_call_among_fast_ones_is_smoothed_away() {
    let mut gauge = Pressure::new(PressureSettings { step_every: Duration::ZERO, ..PressureSettings::default() });
    for _ in 0..20 {
        assert_eq!(gauge.observe(secs(0), latency(10)), Level::Free);
    }
    assert_eq!(gauge.observe(secs(0), latency(2_000)), Level::Free);
    assert_eq!(gauge.observe(secs(0), latency(2_000)), Level::Slow(ms(50)), "two are no accident");
}

#[test]
fn a_burst_of_observations_is_one_step() {
    let mut gauge = Pressure::new(PressureSettings { step_every: ms(250), ..direct() });
    for _ in 0..100 {
        gauge.observe(secs(1), latency(500));
    }
    assert_eq!(gauge.level(), Level::Slow(ms(20)));
    assert_eq!(gauge.observe(ms(1_249), latency(500)), Level::Slow(ms(20)));
    assert_eq!(gauge.observe(ms(1_250), latency(500)), Level::Slow(ms(40)));
}

#[test]
fn without_a_step_or_a_pause_it_goes_to_the_end_at_once() {
    let mut whole = Pressure::new(PressureSettings { slow_step: Duration::ZERO, ..direct() });
    let levels = [100, 100, 1, 1].map(|load| whole.observe(secs(0), latency(load)));
    assert_eq!(levels, [Level::Slow(ms(50)), Level::Paused, Level::Slow(ms(50)), Level::Free]);
    let mut none = Pressure::new(PressureSettings { slow_max: Duration::ZERO, ..direct() });
    none.observe(secs(0), latency(100));
    assert_eq!(none.observe(secs(0), latency(100)), Level::Paused);
}

proptest! {
    /// It rises only while something is high, falls only while nothing is above its low mark, and reaches both ends.
    #[test]
    fn it_moves_with_the_load_only(
        step in 0u64..30,
        max in 0u64..100,
        loads in prop::collection::vec((0u64..150, prop::option::of(0u64..100), prop::option::of(0u64..15)), 1..80),
    ) {
        let settings = PressureSettings { slow_step: ms(step), slow_max: ms(max), ..direct() };
        let mut gauge = Pressure::new(settings);
        for (at, (latency, threads_running, lag)) in loads.into_iter().enumerate() {
            let before = gauge.level();
            let replication_lag = lag.map(secs);
            let load = Load { latency: ms(latency), threads_running, replication_lag };
            let after = gauge.observe(secs(at as u64), load);
            let high = latency >= 100 || threads_running >= Some(64) || lag >= Some(10);
            let low = latency < 50 && threads_running < Some(32) && lag < Some(2);
            prop_assert!(after <= before || high, "rose from {before:?} to {after:?}");
            prop_assert!(after >= before || low, "fell from {before:?} to {after:?}");
            prop_assert!(!high || after > before || before == Level::Paused, "stays at {before:?}");
            prop_assert!(!low || after < before || before == Level::Free, "stays at {before:?}");
            if let Level::Slow(pause) = after {
                prop_assert!(pause <= ms(max));
            }
            prop_assert_eq!(gauge.reason().is_none(), low);
        }
    }
}
