//! Whatever is asked of a budget, both bounds hold.

use std::time::Duration;

use proptest::prelude::*;

use crate::control::backfill::{Budget, Leases, Turn};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_rest_is_as_long_as_the_share_says() {
    let mut budget = Budget::new(None, 0.25);
    assert_eq!(
        budget.turn(Duration::ZERO, Leases::alone(1), 512),
        Turn::Pull(128),
        "no more than fresh records can wait for"
    );
    budget.pulled(Duration::ZERO, 128);
    assert_eq!(budget.turn(MS, Leases::alone(1), 512), Turn::Settle, "one at a time");
    budget.idle(200 * MS);
    assert_eq!(budget.turn(200 * MS, Leases::alone(1), 512), Turn::Rest(600 * MS));
    assert_eq!(
        budget.turn(200 * MS, Leases::alone(3), 512),
        Turn::Rest(2200 * MS),
        "three take a third of it each"
    );
    assert_eq!(budget.turn(800 * MS, Leases::alone(1), 7), Turn::Pull(7));
    for (share, run) in [(0.01, 128), (0.5, 128), (0.75, 192), (0.9, 512), (1.0, 512)] {
        assert_eq!(
            Budget::new(None, share).turn(Duration::ZERO, Leases::alone(1), 512),
            Turn::Pull(run),
            "{share}"
        );
    }
}

/// A run of so many records at `at` that takes `ms`, and the rest after it.
fn rest_after(budget: &mut Budget, at: Duration, ms: u32, records: usize) -> Duration {
    budget.pulled(at, records);
    let end = at + ms * MS;
    budget.idle(end);
    match budget.turn(end, Leases::alone(1), 64) {
        Turn::Rest(rest) => rest,
        Turn::Pull(_) | Turn::Settle => Duration::ZERO,
    }
}

#[test]
fn a_rest_is_longer_while_others_keep_the_stores_busy() {
    let mut budget = Budget::new(None, 0.5);
    let seconds = |n: u64| Duration::from_secs(100 * n);
    assert_eq!(rest_after(&mut budget, seconds(0), 10, 32), 10 * MS);
    let mut after =
        |from: u64, ms: u32| (from..from + 40).map(|n| rest_after(&mut budget, seconds(n), ms, 32)).last();
    let crowded = after(1, 30).unwrap();
    assert!((130 * MS..150 * MS).contains(&crowded), "about a sixth of the time, not half of it: {crowded:?}");
    assert_eq!(after(100, 1_000), Some(7_000 * MS), "an eighth at least");
    let alone = after(200, 10).unwrap();
    assert!(alone < 200 * MS, "and more again once they let it: {alone:?}");
}

#[test]
fn the_last_records_of_a_chunk_do_not_count_as_quick() {
    let mut budget = Budget::new(None, 0.5);
    for n in 0..50 {
        let (ms, records) = if n % 2 == 0 { (1, 3) } else { (10, 50) };
        let rest = rest_after(&mut budget, Duration::from_secs(n), ms, records);
        assert_eq!(rest, ms * MS, "nobody else is there");
    }
}

#[test]
fn the_quickest_run_is_forgotten_in_time() {
    let mut budget = Budget::new(None, 0.5);
    let mut rests =
        (0..3_000).map(|n| rest_after(&mut budget, Duration::from_secs(n), if n == 0 { 1 } else { 10 }, 32));
    let rest = rests.by_ref().take(100).last().unwrap();
    assert_eq!(rest, 70 * MS, "an eighth of the time: it was ten times as quick before");
    assert_eq!(rests.last(), Some(10 * MS), "ten is what a run takes");
}

/// A rate that more tasks share makes runs smaller, and larger again: they tell all the same.
#[test]
fn runs_of_other_sizes_still_tell_how_busy_the_stores_are() {
    let mut budget = Budget::new(None, 0.9);
    let mut runs = |from: u32, records: usize, ms: u32| {
        let run = |n| rest_after(&mut budget, Duration::from_secs(100) * n, ms, records);
        (from..from + 100).map(run).last().unwrap()
    };
    let alone = |ms: u32| f64::from(ms) / 1e3 * (1.0 / 0.9 - 1.0);
    let near = |rest: Duration, seconds: f64| (rest.as_secs_f64() / seconds - 1.0).abs() < 0.05;
    assert!(near(runs(0, 500, 50), alone(50)));
    assert!(near(runs(100, 300, 30), alone(30)), "the same, in smaller runs");
    assert!(runs(200, 300, 90).as_secs_f64() > 10.0 * alone(90), "busy now");
    assert!(runs(300, 400, 120).as_secs_f64() > 10.0 * alone(120), "and still, in larger runs");
    assert!(runs(400, 60, 18).as_secs_f64() > 10.0 * alone(18), "and in much smaller ones");
    assert!(near(runs(500, 60, 6), alone(6)), "and no more");
}

#[test]
fn a_task_alone_with_all_of_the_time_never_rests() {
    let mut budget = Budget::new(None, 1.0);
    for ms in 0..1000 {
        assert_eq!(budget.turn(ms * MS, Leases::alone(3), 10), Turn::Pull(10));
        budget.pulled(ms * MS, 10);
        budget.idle(ms * MS);
    }
}

#[test]
fn tasks_that_begin_at_one_instant_do_not_go_together() {
    let first = |budget: &Budget, now| match budget.turn(now, Leases::alone(3), 512) {
        Turn::Rest(rest) => rest,
        Turn::Pull(_) | Turn::Settle => Duration::ZERO,
    };
    let begun = |phase| {
        let mut budget = Budget::new(None, 0.5);
        budget.begin(5_000 * MS, phase, Leases::alone(3));
        budget
    };
    let waits = [0.0, 0.25, 0.999].map(|phase| first(&begun(phase), 5_000 * MS));
    assert_eq!(waits, [Duration::ZERO, 250 * MS, 999 * MS]);
    let mut budget = begun(0.25);
    budget.begin(5_200 * MS, 0.25, Leases::alone(3));
    assert_eq!(first(&budget, 5_200 * MS), 50 * MS, "a chunk that had no run adds nothing");
    budget.begin(6_000 * MS, 0.25, Leases::alone(3));
    assert_eq!(first(&budget, 6_000 * MS), Duration::ZERO);
    budget.begin(60_000 * MS, 0.25, Leases::alone(3));
    assert_eq!(first(&budget, 60_000 * MS), 250 * MS, "all of them go on at one instant, a minute later");
    let mut budget = begun(0.25);
    budget.pulled(5_250 * MS, 128);
    budget.idle(5_260 * MS);
    budget.begin(5_261 * MS, 0.25, Leases::alone(3));
    assert_eq!(first(&budget, 5_261 * MS), 49 * MS, "the rest from the last chunk's run is enough");
    budget.begin(9_000 * MS, 0.25, Leases::alone(3));
    assert_eq!(first(&budget, 9_000 * MS), 15 * MS, "no longer than a quarter of the time from run to run");
    let mut unbound = Budget::new(None, 1.0);
    unbound.begin(5_000 * MS, 0.9, Leases::alone(3));
    assert_eq!(first(&unbound, 5_000 * MS), Duration::ZERO);
}

#[test]
fn some_runs_are_read_ahead_and_all_that_there_is_room_for_without_a_bound() {
    let ahead = |rate, share| Budget::new(rate, share).ahead();
    assert_eq!([ahead(None, 0.01), ahead(None, 0.75), ahead(None, 1.0)], [Some(1_024), Some(1_536), None]);
    assert_eq!([ahead(Some(0), 1.0), ahead(Some(5_000), 1.0)], [Some(1_024), Some(40_000)]);
}

#[test]
fn the_rate_is_shared_by_those_who_are_at_the_job() {
    let mut budget = Budget::new(Some(100), 1.0);
    assert_eq!(budget.turn(Duration::ZERO, Leases::alone(4), 512), Turn::Pull(25), "at most a second's worth");
    budget.pulled(Duration::ZERO, 25);
    assert_eq!(budget.turn(Duration::ZERO, Leases::alone(4), 512), Turn::Rest(1000 * MS));
    assert_eq!(budget.turn(Duration::ZERO, Leases::alone(1), 512), Turn::Rest(250 * MS), "the others have gone");
    assert_eq!(
        Budget::new(Some(1), 1.0).turn(Duration::ZERO, Leases::alone(9), 512),
        Turn::Pull(1),
        "never none at all"
    );
}

#[test]
fn the_share_is_one_of_all_jobs_together_and_the_rate_the_job_s_own() {
    let leases = Leases { of_job: 1, of_all: 3 };
    let mut budget = Budget::new(None, 0.5);
    budget.pulled(Duration::ZERO, 32);
    budget.idle(100 * MS);
    assert_eq!(budget.turn(100 * MS, leases, 512), Turn::Rest(500 * MS), "a sixth: half of a third");
    let mut budget = Budget::new(Some(100), 1.0);
    budget.pulled(Duration::ZERO, 25);
    assert_eq!(budget.turn(Duration::ZERO, leases, 512), Turn::Rest(250 * MS));
}

proptest! {
    /// A task asks at any times, for any number of records, with any time in flight.
    #[test]
    fn no_time_has_more_records_or_more_work_than_it_may(
        rate in 1_u64..5_000,
        share in 0.05_f64..1.0,
        leases in 1_usize..5,
        steps in prop::collection::vec((1_u64..400, 1_usize..600, 1_u64..300), 1..120),
    ) {
        let mut budget = Budget::new(Some(rate), share);
        let (mut now, mut runs, mut busy) = (Duration::ZERO, Vec::new(), Vec::new());
        let mut flight: Option<(Duration, Duration)> = None;
        for (pause, max, took) in steps {
            now += pause as u32 * MS;
            if let Some((since, until)) = flight.filter(|(_, until)| *until <= now) {
                budget.idle(until);
                busy.push((since, until));
                flight = None;
            }
            if let Turn::Pull(most) = budget.turn(now, Leases::alone(leases), max) {
                prop_assert!((1..=max).contains(&most));
                budget.pulled(now, most);
                runs.push((now, most as u64));
                let until = now + took as u32 * MS;
                flight = Some(flight.map_or((now, until), |(since, known)| (since, known.max(until))));
            }
        }
        for (at, (from, _)) in runs.iter().enumerate() {
            let (mut sum, mut most) = (0, 0);
            for (to, records) in &runs[at..] {
                sum += records;
                most = most.max(*records);
                let allowed = rate as f64 / leases as f64 * (*to - *from).as_secs_f64();
                prop_assert!(sum as f64 <= allowed + most as f64 + 1e-6, "{sum} in {:?}", *to - *from);
            }
        }
        for pair in busy.windows(2) {
            let (took, rest) = (pair[0].1 - pair[0].0, pair[1].0 - pair[0].1);
            let least = took.as_secs_f64() * (leases as f64 / share - 1.0);
            prop_assert!(rest.as_secs_f64() >= least - 1e-6, "{rest:?} after {took:?}");
        }
    }
}
