#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;

use super::{ms, secs};
use crate::guard::Rate;

#[test]
fn a_full_bucket_gives_its_burst_and_then_its_rate() {
    let mut rate = Rate::new(10, 5);
    assert_eq!(rate.available(secs(100)), 5);
    rate.take(secs(100), 5).unwrap();
    assert_eq!(rate.take(secs(100), 1), Err(ms(100)));
    assert_eq!(rate.take(ms(100_050), 1), Err(ms(50)));
    rate.take(ms(100_100), 1).unwrap();
    assert_eq!(rate.available(secs(200)), 5, "it never holds more than its burst");
}

#[test]
fn a_wait_is_never_longer_than_a_second() {
    assert_eq!(Rate::new(0, 0).take(secs(1), 1), Err(secs(1)));
    assert_eq!(Rate::new(1, 0).take(secs(1), u64::MAX), Err(secs(1)));
    let mut largest = Rate::new(u64::MAX, u64::MAX);
    largest.take(std::time::Duration::MAX, u64::MAX).unwrap();
    assert!(largest.take(std::time::Duration::MAX, u64::MAX).unwrap_err() <= secs(1));
}

#[test]
fn a_clock_that_is_read_before_the_lock_earns_no_time_twice() {
    let mut rate = Rate::new(10, 5);
    rate.take(secs(10), 5).unwrap();
    assert_eq!([9, 10, 9, 10].map(|at| rate.available(secs(at))), [0; 4]);
}

proptest! {
    #[test]
    fn no_interval_passes_more_than_burst_and_rate(
        per_second in 0u64..5_000,
        burst in 0u64..50,
        steps in prop::collection::vec((0u64..40, 0u64..30), 1..60),
    ) {
        let (mut rate, mut now) = (Rate::new(per_second, burst), 0);
        let mut passed: Vec<(u64, u64)> = Vec::new();
        for (wait, n) in steps {
            now += wait;
            let available = rate.available(ms(now));
            let taken = rate.take(ms(now), n);
            prop_assert_eq!(taken.is_ok(), n <= available, "all or none, and as many as it says");
            match taken {
                Ok(()) => passed.push((now, n)),
                Err(wait) => {
                    prop_assert!(wait > secs(0) && wait <= secs(1));
                    let then = ms(now) + wait;
                    let enough = n <= burst && per_second > 0;
                    let mut later = rate.clone();
                    prop_assert!(!enough || later.take(then, n).is_ok() || wait == secs(1), "the wait was too short");
                }
            }
        }
        for (first, &(from, _)) in passed.iter().enumerate() {
            let mut sum = 0;
            for &(to, n) in &passed[first..] {
                sum += n;
                let bound = burst * 1_000 + per_second * (to - from);
                prop_assert!(sum * 1_000 <= bound, "{sum} from {from} to {to} ms");
            }
        }
    }
}
