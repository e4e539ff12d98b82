use proptest::prelude::*;

use super::{ms, secs};
use crate::guard::{Share, ShareSettings};

#[test]
fn retries_take_their_share_beside_fresh_rows() {
    let mut share = Share::new(ShareSettings { floor_per_second: 0, ..ShareSettings::default() });
    let (mut fresh, mut retried) = (0, 0);
    for step in 0..1_000 {
        fresh += 40;
        share.fresh(ms(step * 10), 40);
        retried += share.allow(ms(step * 10), usize::MAX);
    }
    // 20 % of all is a quarter of the fresh ones.
    assert_eq!((fresh, retried), (40_000, 10_000));
}

#[test]
fn a_slow_topology_still_works_off_its_backlog() {
    let mut share = Share::new(ShareSettings { share: 0.0, ..ShareSettings::default() });
    let mut retried = 0;
    for step in 0..=100 {
        share.fresh(ms(step * 100), 1);
        retried += share.allow(ms(step * 100), usize::MAX);
    }
    assert_eq!(retried, 1_000, "the floor is 100 a second");
}

#[test]
fn an_idle_topology_is_bound_by_the_maximum_alone() {
    let mut share = Share::new(ShareSettings { max_per_second: 1_000, ..ShareSettings::default() });
    share.fresh(secs(0), 1);
    assert_eq!(share.allow(secs(1), usize::MAX), 100, "not idle yet");
    assert_eq!(share.allow(ms(1_500), usize::MAX), 500);
    share.fresh(ms(1_500), 1);
    assert_eq!(share.allow(ms(1_600), usize::MAX), 10, "busy again");
}

#[test]
fn a_wait_ends_when_a_row_may_go() {
    let mut share = Share::new(ShareSettings::default());
    assert_eq!(share.wait(secs(5)), ms(10));
    assert_eq!(share.allow(ms(5_009), 1), 0);
    assert_eq!((share.wait(ms(5_010)), share.allow(ms(5_010), 1)), (ms(0), 1));

    let mut none = Share::new(ShareSettings { floor_per_second: 0, ..ShareSettings::default() });
    assert_eq!(none.wait(secs(5)), secs(1), "until it is idle");

    let settings =
        ShareSettings { floor_per_second: 1_000, max_per_second: 10, burst: 1, ..ShareSettings::default() };
    let mut below = Share::new(settings);
    assert_eq!((below.wait(secs(5)), below.allow(ms(5_001), 9)), (ms(1), 1));
    assert_eq!(below.wait(ms(5_001)), ms(100), "the maximum binds");
}

#[test]
fn a_clock_that_is_read_before_the_lock_earns_no_time_twice() {
    let mut share = Share::new(ShareSettings::default());
    share.fresh(ms(5_000), 0);
    assert_eq!(share.allow(ms(5_100), usize::MAX), 10);
    assert_eq!([5_000, 5_100, 5_050, 5_100].map(|at| share.allow(ms(at), 1)), [0; 4]);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(u64),
    Fresh(usize),
    Allow(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u64..80).prop_map(Step::Wait),
        (1u64..3).prop_map(|tenths| Step::Wait(tenths * 100)),
        (0usize..200).prop_map(Step::Fresh),
        (0usize..200).prop_map(Step::Allow),
    ]
}

/// Fresh rows, retried rows, and milliseconds of busy and idle time, from the start on.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    fresh: u64,
    retried: u64,
    busy: u64,
    idle: u64,
}

proptest! {
    #[test]
    fn no_interval_retries_more_than_its_budget(
        // In twentieths: a share of 0 to 90 %.
        twentieths in 0u64..=18,
        floor in 0u64..500,
        max in 0u64..3_000,
        burst in 1u64..100,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        const IDLE_AFTER: u64 = 150;
        let mut share = Share::new(ShareSettings {
            share: twentieths as f64 / 20.0,
            floor_per_second: floor,
            max_per_second: max,
            burst,
            idle_after: ms(IDLE_AFTER),
        });
        let (mut now, mut fresh_at) = (0, 0);
        let mut sums = vec![Sums::default()];
        share.fresh(ms(0), 0);
        for step in steps {
            let mut sum = *sums.last().expect("never empty");
            match step {
                Step::Wait(wait) => {
                    let busy = (fresh_at + IDLE_AFTER).saturating_sub(now).min(wait);
                    sum.busy += busy;
                    sum.idle += wait - busy;
                    now += wait;
                }
                Step::Fresh(n) => {
                    share.fresh(ms(now), n);
                    sum.fresh += n as u64;
                    fresh_at = if n > 0 { now } else { fresh_at };
                }
                Step::Allow(want) => {
                    let may_now = share.wait(ms(now)).is_zero();
                    let n = share.allow(ms(now), want);
                    prop_assert!(n <= want);
                    prop_assert_eq!(n > 0, may_now && want > 0);
                    sum.retried += n as u64;
                }
            }
            sums.push(sum);
        }
        for (first, from) in sums.iter().enumerate() {
            for to in &sums[first..] {
                let retried = to.retried - from.retried;
                let (busy, idle) = (to.busy - from.busy, to.idle - from.idle);
                let earned = (to.fresh - from.fresh) as f64 * twentieths as f64 / (20 - twentieths) as f64;
                let by_time = (floor * busy + max * idle) as f64 / 1e3;
                prop_assert!(retried as f64 <= earned + by_time + burst as f64 + 1e-6);
                prop_assert!(retried * 1_000 <= max * (busy + idle) + burst * 1_000, "above the maximum");
            }
        }
    }
}
