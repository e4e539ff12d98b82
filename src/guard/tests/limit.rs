//! Limits against the rule they state, on a scripted clock.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::{ms, secs};
use crate::guard::{Direct, Keyed, KeyedSettings, Limit, LiveLimit};

fn limit(per_second: u32, burst: u32) -> Limit {
    Limit::new(per_second, burst).unwrap()
}

fn direct(per_second: u32, burst: u32) -> Direct {
    Direct::new(LiveLimit::new(Some(limit(per_second, burst))))
}

fn keyed(per_second: u32, burst: u32, max_keys: usize) -> Keyed {
    Keyed::new(LiveLimit::new(Some(limit(per_second, burst))), KeyedSettings { max_keys })
}

#[test]
fn a_limit_is_read_as_it_is_written() {
    for (text, per_second, burst) in [
        ("1000/s burst 2000", 1000, 2000),
        (" 5/s ", 5, 5),
        ("1/s  burst 1", 1, 1),
        ("1000000/s", 1_000_000, 1_000_000),
    ] {
        let read: Limit = text.parse().unwrap();
        assert_eq!(read, limit(per_second, burst), "{text}");
        assert_eq!(Limit::parse(&read.to_string()), Ok(Some(read)));
    }
    assert_eq!((Limit::parse(" off "), Limit::show(None)), (Ok(None), "off".to_owned()));
    let bad = [
        "",
        "on",
        "OFF",
        "5",
        "5 /s",
        "/s",
        "0/s",
        "-5/s",
        "+5/s",
        "5.5/s",
        "5/m",
        "5/s burst",
        "5/s burst 0",
        "5/s burst x",
        "5/s 10",
        "5/s burst 10 more",
        "1000001/s",
        "5/s burst 1000000001",
        "99999999999/s",
    ];
    for text in bad {
        let error = Limit::parse(text).expect_err(text).to_string();
        assert!(error.starts_with(&format!("`{text}` is no limit; it is off, or such as 100/s")), "{error}");
    }
    assert_eq!((Limit::new(0, 1), Limit::new(1, 0), Limit::new(u32::MAX, 1)), (None, None, None));
}

#[test]
fn the_burst_goes_at_once_and_then_one_an_interval() {
    let limiter = direct(10, 3);
    let passed = |at| (0..5).filter(|_| limiter.take(at).is_ok()).count();
    assert_eq!(passed(secs(100)), 3);
    let refused = limiter.take(secs(100)).unwrap_err();
    assert_eq!((refused.limit, refused.wait), (limit(10, 3), ms(100)));
    assert_eq!(refused.to_string(), "more than 10/s burst 3; the next may pass in 100ms");
    assert_eq!([passed(ms(100_099)), passed(ms(100_100)), passed(ms(100_350)), passed(secs(200))], [0, 1, 2, 3]);
    assert_eq!(limiter.take(secs(1)).unwrap_err().wait, ms(100), "a clock that is behind counts as the latest");
}

#[test]
fn looking_takes_nothing() {
    let (one, many) = (direct(1, 1), keyed(1, 1, 10));
    for _ in 0..5 {
        assert_eq!((one.look(secs(5)), many.look("a", secs(5))), (Ok(()), Ok(())));
    }
    assert!(many.is_empty());
    assert_eq!((one.take(secs(5)), many.take("a", secs(5))), (Ok(()), Ok(())));
    assert!(one.look(secs(5)).is_err() && many.look("a", secs(5)).is_err());
    assert_eq!((many.look("b", secs(5)), many.len()), (Ok(()), 1));
}

#[test]
fn a_limit_that_is_changed_holds_at_once() {
    let live = LiveLimit::new(Some(limit(1, 1000)));
    let (one, many) = (Direct::new(live.clone()), Keyed::new(live.clone(), KeyedSettings::default()));
    let take = |at| {
        assert_eq!(one.look(at), many.look("key", at));
        let (one, many) = (one.take(at), many.take("key", at));
        assert_eq!(one, many);
        one
    };
    let passed = |at| (0..5000).filter(|_| take(at).is_ok()).count();
    assert_eq!(passed(secs(10)), 1000);
    assert_eq!(take(secs(10)).unwrap_err().wait, secs(1));
    // A thousand seconds are owed by the old one; of the new one that is no more than its burst.
    live.set(Some(limit(100, 200)));
    assert_eq!(take(secs(10)).unwrap_err().wait, ms(10));
    assert_eq!([passed(ms(10_010)), passed(secs(11)), passed(secs(100))], [1, 99, 200]);
    live.set(Some(limit(1, 1)));
    assert_eq!([passed(secs(100)), passed(secs(101))], [0, 1]);
    live.set(None);
    assert_eq!(passed(secs(101)), 5000);
    live.set(Some(limit(1, 2)));
    assert_eq!((one.limit().limit(), many.limit().limit()), (Some(limit(1, 2)), Some(limit(1, 2))));
    assert_eq!(passed(secs(101)), 1, "what passed without a limit is not held against anyone");
}

#[test]
fn keys_do_not_hinder_each_other_and_idle_ones_are_forgotten() {
    let limiter = keyed(1, 2, 100_000);
    for key in 0..1000 {
        assert_eq!([0; 3].map(|_| limiter.take(key, secs(5)).is_ok()), [true, true, false]);
    }
    assert_eq!(limiter.len(), 1000);
    limiter.sweep(ms(6_999));
    assert_eq!(limiter.len(), 1000, "they still owe something");
    limiter.sweep(secs(7));
    assert!(limiter.is_empty());
    for at in 10..100 {
        for key in 0..1000 {
            limiter.take((at, key), secs(at)).unwrap();
        }
    }
    assert!(limiter.len() <= 12_000, "{} are remembered", limiter.len());
}

#[test]
fn new_keys_share_what_is_left_when_there_is_no_room() {
    let limiter = keyed(1, 2, 10);
    for key in 0..10 {
        limiter.take(key, secs(5)).unwrap();
    }
    let passed = (10..1000).filter(|key| limiter.take(key, secs(5)).is_ok()).count();
    assert_eq!((passed, limiter.len()), (2, 10), "one bucket for all of them");
    assert_eq!(limiter.take(3, secs(5)), Ok(()), "a key that is known has its own");
    assert!(limiter.take(3, secs(5)).is_err(), "and is not forgotten for others");
    assert_eq!(limiter.look(2000, secs(5)).unwrap_err().wait, secs(1));
    let later = (10..1000).filter(|key| limiter.take(key, secs(20)).is_ok()).count();
    assert_eq!((later, limiter.len()), (12, 10), "there is room again, and the shared one is full again");
}

#[test]
fn racers_get_no_more_than_the_burst() {
    let (one, many, passed) = (direct(1, 500), keyed(1, 500, 100), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let both = [one.take(secs(1)).is_ok(), many.take("key", secs(1)).is_ok()];
                    passed.fetch_add(both.into_iter().filter(|passed| *passed).count(), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 1000);
}

/// Fails if more passed in any window than may.
fn check(limit: Limit, passed: &[Duration]) -> Result<(), TestCaseError> {
    for (first, from) in passed.iter().enumerate() {
        for (last, to) in passed.iter().enumerate().skip(first) {
            let count = (last - first + 1) as u128;
            let earned = u128::from(limit.per_second()) * (*to - *from).as_nanos();
            let most = u128::from(limit.burst()) * 1_000_000_000 + earned;
            prop_assert!(count * 1_000_000_000 <= most, "{count} of {limit} from {from:?} to {to:?}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_window_lets_more_pass_than_the_limit(
        per_second in 1u32..2_000_000,
        small in 1u32..50,
        burst in 1u32..40,
        max_keys in 1usize..6,
        // Nanoseconds to wait, and who asks.
        calls in prop::collection::vec((prop_oneof![Just(0u64), 0u64..2_000, 0u64..300_000_000], 0u8..8), 1..200),
    ) {
        for per_second in [per_second.min(1_000_000), small] {
            let limit = limit(per_second, burst);
            let (one, many) = (direct(per_second, burst), keyed(per_second, burst, max_keys));
            let mut now = Duration::ZERO;
            let mut passed = vec![Vec::new(); 9];
            for (wait, key) in &calls {
                now += Duration::from_nanos(*wait);
                if one.take(now).is_ok() {
                    passed[8].push(now);
                }
                if many.take(key, now).is_ok() {
                    passed[usize::from(*key)].push(now);
                }
                prop_assert!(many.len() <= max_keys);
            }
            for passed in &passed {
                check(limit, passed)?;
            }
        }
    }

    #[test]
    fn after_a_change_the_new_limit_holds_from_then_on_and_nobody_waits_for_the_old_one(
        limits in prop::collection::vec((1u32..1_000, 1u32..40), 1..5),
        calls in prop::collection::vec(0u64..50_000_000, 1..60),
    ) {
        let live = LiveLimit::new(None);
        let (one, many) = (Direct::new(live.clone()), Keyed::new(live.clone(), KeyedSettings { max_keys: 1 }));
        let mut now = Duration::ZERO;
        for (per_second, burst) in limits {
            let limit = limit(per_second, burst);
            live.set(Some(limit));
            let interval = Duration::from_nanos(1_000_000_000_u64.div_ceil(per_second.into()));
            let mut passed = Vec::new();
            for wait in &calls {
                now += Duration::from_nanos(*wait);
                let took = one.take(now);
                prop_assert_eq!(took, many.take("key", now));
                match took {
                    Ok(()) => passed.push(now),
                    Err(refused) => prop_assert!(refused.wait <= interval),
                }
            }
            check(limit, &passed)?;
        }
    }

    #[test]
    fn whoever_waits_as_long_as_it_is_told_passes(
        per_second in 1u32..1_000_000,
        burst in 1u32..40,
        waits in prop::collection::vec(0u64..200_000_000, 1..100),
    ) {
        let limiter = direct(per_second, burst);
        let mut now = Duration::from_secs(1);
        for wait in waits {
            now += Duration::from_nanos(wait);
            while let Err(refused) = limiter.take(now) {
                prop_assert!(limiter.look(now + refused.wait - Duration::from_nanos(1)).is_err());
                now += refused.wait;
                prop_assert_eq!(limiter.look(now), Ok(()));
            }
        }
    }
}
