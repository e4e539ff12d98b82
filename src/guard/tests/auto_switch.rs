#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;

use super::{ms, secs};
use crate::guard::{AutoSwitch, AutoSwitchSettings, Flip, Reading};

const GOOD: Reading = Reading { breaker_closed: true, lag: None };
const BROKEN: Reading = Reading { breaker_closed: false, lag: None };

const fn behind(lag: u64) -> Reading {
    Reading { breaker_closed: true, lag: Some(lag) }
}

/// Takes one reading a second, and gives what flipped with its second.
fn observe(switch: &mut AutoSwitch, from: u64, readings: impl IntoIterator<Item = Reading>) -> Vec<(u64, Flip)> {
    (from..).zip(readings).filter_map(|(at, reading)| Some((at, switch.observe(secs(at), reading)?))).collect()
}

#[test]
fn a_breaker_that_stays_open_takes_the_store_out_and_a_closed_one_brings_it_back() {
    let mut switch = AutoSwitch::new(AutoSwitchSettings::default());
    let down = observe(&mut switch, 0, [BROKEN; 15]);
    let reason = "the breaker is not closed; trouble for 10 s".to_owned();
    assert_eq!(down, [(10, Flip { on: true, reason })]);
    assert!(switch.is_on());
    let up = observe(&mut switch, 15, [GOOD; 40]);
    let reason = "the breaker was closed for 30 s".to_owned();
    assert_eq!(up, [(45, Flip { on: false, reason })]);
    assert!(!switch.is_on());
}

#[test]
fn a_short_outage_flips_nothing_and_a_relapse_starts_the_dwell_again() {
    let mut switch = AutoSwitch::new(AutoSwitchSettings::default());
    let short = [[BROKEN; 9], [GOOD; 9], [BROKEN; 9]].concat();
    assert_eq!(observe(&mut switch, 0, short), []);
    switch.adopt(secs(30), true);
    let relapse = [vec![GOOD; 29], vec![BROKEN], vec![GOOD; 40]].concat();
    assert_eq!(observe(&mut switch, 30, relapse)[0].0, 90);
}

#[test]
fn lag_counts_between_its_marks_neither_way() {
    let settings = AutoSwitchSettings { lag_high: Some(1_000), ..AutoSwitchSettings::default() };
    let mut switch = AutoSwitch::new(settings);
    assert_eq!(observe(&mut switch, 0, [behind(999); 60]), []);
    let on = observe(&mut switch, 60, [behind(1_000); 11]);
    assert_eq!(on[0].1.reason, "1000 records wait, 1000 are too many; trouble for 10 s");
    assert_eq!(observe(&mut switch, 80, [behind(501); 60]), [], "half of the high mark is the low one");
    let off = observe(&mut switch, 140, [behind(500); 31]);
    assert_eq!(off[0].1.reason, "the breaker was closed and at most 500 records waited for 30 s");
}

#[test]
fn a_lag_that_cannot_be_read_is_the_one_known_last() {
    let settings = AutoSwitchSettings { lag_high: Some(1_000), ..AutoSwitchSettings::default() };
    let mut switch = AutoSwitch::new(settings);
    assert_eq!(observe(&mut switch, 0, [behind(5_000)].into_iter().chain([GOOD; 10])).len(), 1);
    assert_eq!(observe(&mut switch, 11, [GOOD; 100]), [], "the last one known was high");
    assert_eq!(observe(&mut switch, 111, [behind(0)].into_iter().chain([GOOD; 30])).len(), 1);

    let mut blind = AutoSwitch::new(settings);
    blind.adopt(secs(0), true);
    assert_eq!(observe(&mut blind, 0, [GOOD; 31]).len(), 1, "never read: the breaker alone decides");
}

#[test]
fn what_was_set_by_others_stands_for_a_dwell() {
    let mut switch = AutoSwitch::new(AutoSwitchSettings::default());
    observe(&mut switch, 0, [BROKEN; 9]);
    switch.adopt(secs(9), false);
    assert_eq!(observe(&mut switch, 9, [BROKEN; 40])[0].0, 39);
}

proptest! {
    /// Every flip is what the rule says of all readings before it, and every chance to flip is taken.
    #[test]
    fn it_agrees_with_the_rule(
        trip_after in 0u64..40,
        dwell in 1u64..80,
        lag_high in prop::option::of(1u64..20),
        lag_low in prop::option::of(0u64..20),
        steps in prop::collection::vec((0u64..25, prop::bool::weighted(0.6), prop::option::of(0u64..25)), 1..120),
    ) {
        let settings = AutoSwitchSettings { trip_after: ms(trip_after), lag_high, lag_low, dwell: ms(dwell) };
        let mut switch = AutoSwitch::new(settings);
        let (mut now, mut known, mut on, mut flips) = (0, None, false, Vec::new());
        // When, and whether it was bad or good.
        let mut readings: Vec<(u64, bool, bool)> = Vec::new();
        let low = lag_high.map(|high| lag_low.unwrap_or(high / 2).min(high - 1));
        for (wait, breaker_closed, lag) in steps {
            now += wait;
            known = lag.or(known);
            let is_high = matches!((known, lag_high), (Some(lag), Some(high)) if lag >= high);
            let is_low = !matches!((known, low), (Some(lag), Some(low)) if lag > low);
            readings.push((now, !breaker_closed || is_high, breaker_closed && is_low));

            let last: Option<(u64, usize)> = flips.last().copied();
            let since_flip = &readings[last.map_or(0, |(_, read)| read)..];
            let agrees = |(_, bad, good): &&(u64, bool, bool)| if on { *good } else { *bad };
            let unbroken = since_flip.iter().rev().take_while(agrees).last();
            let long = if on { dwell } else { trip_after };
            let due = unbroken.is_some_and(|(at, ..)| now - at >= long)
                && last.is_none_or(|(at, _)| now - at >= dwell);

            let flip = switch.observe(ms(now), Reading { breaker_closed, lag });
            prop_assert_eq!(flip.as_ref().map(|flip| flip.on), due.then_some(!on));
            if let Some(flip) = flip {
                prop_assert!(!flip.reason.is_empty());
                on = flip.on;
                flips.push((now, readings.len()));
            }
            prop_assert_eq!(switch.is_on(), on);
        }
        prop_assert!(flips.windows(2).all(|pair| pair[1].0 - pair[0].0 >= dwell), "two flips in a dwell");
    }
}
