use std::time::Duration;

use proptest::prelude::*;

use super::{ms, secs};
use crate::guard::{BackoffSettings, Levels};

#[test]
fn the_default_waits_longer_and_longer_and_ends() {
    let levels = Levels::new(BackoffSettings::default());
    let path: Vec<Option<usize>> = (1..=9).map(|attempt| levels.level_of(attempt)).collect();
    assert_eq!(path, [0, 1, 2, 3, 3, 3, 3, 3].map(Some).into_iter().chain([None]).collect::<Vec<_>>());
    assert_eq!(levels.delays(), [1, 10, 60, 600].map(secs));
    assert_eq!(levels.due(1, 5_000, 0), 6_000);
    assert_eq!(levels.due(2, 5_000, u64::MAX), 17_000, "20 % later at most");
    assert_eq!(levels.longest_wait(1), secs(12));
}

#[test]
fn without_levels_nothing_is_retried() {
    let levels = Levels::new(BackoffSettings { delays: Vec::new(), ..BackoffSettings::default() });
    assert_eq!((levels.level_of(1), levels.due(1, 7, 3), levels.longest_wait(0)), (None, 7, secs(0)));
    let none = Levels::new(BackoffSettings { attempts: 0, ..BackoffSettings::default() });
    assert_eq!(none.level_of(1), None);
}

#[test]
fn a_delay_beyond_all_time_is_never_over() {
    let levels = Levels::new(BackoffSettings { delays: vec![Duration::MAX], ..BackoffSettings::default() });
    assert_eq!(levels.due(1, i64::MAX - 5, u64::MAX), i64::MAX);
}

proptest! {
    #[test]
    fn a_retry_is_never_early_and_never_later_than_its_jitter(
        micros in prop::collection::vec(0u64..10_000_000, 1..6),
        attempts in 0u32..20,
        percent in 0u32..=100,
        attempt in 1u32..25,
        now in -1_000_000i64..2_000_000_000_000,
        entropy: u64,
        more: u64,
    ) {
        let delays: Vec<Duration> = micros.into_iter().map(Duration::from_micros).collect();
        let jitter = f64::from(percent) / 100.0;
        let levels = Levels::new(BackoffSettings { delays: delays.clone(), attempts, jitter });
        let level = (attempt as usize - 1).min(delays.len() - 1);
        prop_assert_eq!(levels.level_of(attempt), (attempt <= attempts).then_some(level));

        let wait = ms(u64::try_from(levels.due(attempt, now, entropy) - now).expect("not before now"));
        prop_assert!(wait >= delays[level]);
        prop_assert!(wait <= levels.longest_wait(level));
        let latest = delays[level].mul_f64(1.0 + jitter) + ms(2);
        prop_assert!(levels.longest_wait(level) <= latest, "rounded by more than a millisecond each");
        let (least, most) = (entropy.min(more), entropy.max(more));
        prop_assert!(levels.due(attempt, now, least) <= levels.due(attempt, now, most));
    }
}
