//! A profile from rows, by the rules of the timelines.

use std::collections::BTreeMap;

use squall::store::timeline::{Limits, Profile};

use super::found::{Body, Line};
use super::item::body;
use super::{Item, Place};

const DAY_MS: i64 = 86_400_000;

/// What is known of a user, by business.
pub(super) type Lines = BTreeMap<String, Line>;

/// What [`Timelines::profile`](squall::store::Timelines::profile) would say after these records alone, newest first, of
/// one user.
pub(super) fn of_items(items: &[Item], limits: &Limits) -> Lines {
    let mut lines = Lines::new();
    let day = |item: &Item| item.place.at_ms.div_euclid(DAY_MS);
    let cutoff = items.first().map_or(0, |newest| day(newest) - i64::from(limits.count_days));
    for item in items {
        let (at_ms, action) = (item.place.at_ms, item.action());
        let line = lines.entry(item.business.to_string()).or_insert_with(|| Line {
            first_ms: at_ms,
            last_ms: at_ms,
            latest: BTreeMap::new(),
            counts: BTreeMap::new(),
        });
        line.first_ms = line.first_ms.min(at_ms);
        // The first of an action is its latest.
        if !line.latest.contains_key(&*action) {
            line.latest.insert(action.to_string(), Body { place: item.place.clone(), raw: item.raw().to_owned() });
        }
        if day(item) > cutoff {
            *line.counts.entry(action.into_owned()).or_default().entry(day(item)).or_default() += 1;
        }
    }
    lines
}

/// What the timelines hold, and whether all of it can be read.
pub(super) fn of_profile(profile: Profile) -> (Lines, bool) {
    let mut readable = true;
    let lines = profile.lines.into_iter().map(|(business, line)| {
        let mut latest = BTreeMap::new();
        for (action, entry) in line.latest {
            let place = Place { at_ms: entry.at_ms, id: entry.id.into() };
            match body(entry.body) {
                Some(raw) => _ = latest.insert(action, Body { place, raw }),
                None => readable = false,
            }
        }
        (business, Line { first_ms: line.first_ms, last_ms: line.last_ms, latest, counts: line.counts })
    });
    let lines = lines.collect();
    (lines, readable)
}

/// What two stores know together: of each number the greater one, since both count the same events.
pub(super) fn union(mut known: Lines, more: &Lines, limits: &Limits) -> Lines {
    for (business, more) in more {
        let Some(line) = known.get_mut(business) else {
            known.insert(business.clone(), more.clone());
            continue;
        };
        line.first_ms = line.first_ms.min(more.first_ms);
        line.last_ms = line.last_ms.max(more.last_ms);
        for (action, body) in &more.latest {
            if line.latest.get(action).is_none_or(|latest| latest.place < body.place) {
                line.latest.insert(action.clone(), body.clone());
            }
        }
        for (action, days) in &more.counts {
            let counts = line.counts.entry(action.clone()).or_default();
            for (day, count) in days {
                let known = counts.entry(*day).or_default();
                *known = (*known).max(*count);
            }
        }
    }
    let newest = known.values().map(|line| line.last_ms.div_euclid(DAY_MS)).max().unwrap_or(0);
    let cutoff = newest - i64::from(limits.count_days);
    for line in known.values_mut() {
        line.counts.retain(|_, days| {
            days.retain(|day, _| *day > cutoff);
            !days.is_empty()
        });
    }
    known
}
