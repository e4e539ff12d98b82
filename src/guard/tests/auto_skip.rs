//! Skipping by itself.

use std::time::Duration;

use proptest::prelude::*;

use crate::guard::{AutoSkip, AutoSkipSettings};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settings(records: Option<u64>, behind: Option<Duration>) -> AutoSkipSettings {
    AutoSkipSettings { records, behind, dwell: s(30), again_after: s(600) }
}

#[test]
fn it_is_off_unless_a_bound_is_given() {
    let mut skip = AutoSkip::new(AutoSkipSettings::default());
    assert!(!skip.is_on());
    assert!((0..1_000).all(|at| skip.observe(s(at), u64::MAX, s(u64::MAX / 2)).is_none()));
}

#[test]
fn it_says_why_once_every_reading_was_past_a_bound_for_the_dwell() {
    let mut skip = AutoSkip::new(settings(Some(100), Some(s(60))));
    assert_eq!(skip.observe(s(0), 101, s(10)), None);
    assert_eq!(skip.observe(s(20), 100, s(60)), None, "at the bounds is not past them");
    assert_eq!(skip.observe(s(25), 90, s(61)), None);
    assert_eq!(skip.observe(s(54), 500, s(61)), None, "29 s");
    let why = skip.observe(s(55), 500, s(61)).unwrap();
    assert_eq!(why, "500 records behind, more than 100 and 61 s behind, more than 60 for 30 s");
    assert_eq!(skip.observe(s(56), 500, s(0)), None);
    assert!(skip.observe(s(86), 500, s(0)).is_some(), "nothing came of it");
    skip.skipped(s(86), s(31));
    assert_eq!(skip.observe(s(90), 500, s(0)), None, "not again so soon");
    assert_eq!(skip.observe(s(654), 500, s(0)), None);
    assert_eq!(skip.observe(s(655), 500, s(0)).unwrap(), "500 records behind, more than 100 for 565 s");
}

proptest! {
    /// Never before the dwell is over, never twice within the time between.
    #[test]
    fn it_never_says_so_too_early(readings in proptest::collection::vec((1..40_u64, 0..200_u64), 1..200)) {
        let mut skip = AutoSkip::new(settings(Some(100), None));
        let (mut now, mut last, mut past_since) = (0, None, None);
        for (step, records) in readings {
            now += step;
            if records > 100 { past_since = past_since.or(Some(now)) } else { past_since = None }
            let due = past_since.is_some_and(|since| now - since >= 30) && last.is_none_or(|last| now - last >= 600);
            let said = skip.observe(s(now), records, s(0)).is_some();
            prop_assert_eq!(said, due);
            if said {
                (last, past_since) = (Some(now), None);
                skip.skipped(s(now), s(0));
            }
        }
    }
}
