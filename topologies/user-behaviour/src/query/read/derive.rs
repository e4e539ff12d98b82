//! A profile from rows, by the rules of the timelines.

use std::collections::BTreeMap;

use squall::store::timeline::{Limits, Profile};

use super::Item;
use super::found::{Body, Line};
use super::item::body;

const DAY_MS: i64 = 86_400_000;

/// What [`Timelines::profile`](squall::store::Timelines::profile) would say after these records alone, newest first, of
/// one user.
pub(super) fn of_items(items: &[Item], limits: &Limits) -> BTreeMap<String, Line> {
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
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
            line.latest.insert(action.to_string(), Body(item.raw()));
        }
        if day(item) > cutoff {
            *line.counts.entry(action.into_owned()).or_default().entry(day(item)).or_default() += 1;
        }
    }
    lines
}

/// What the timelines hold, and whether all of it can be read.
pub(super) fn of_profile(profile: Profile) -> (BTreeMap<String, Line>, bool) {
    let mut readable = true;
    let lines = profile.lines.into_iter().map(|(business, line)| {
        let mut latest = BTreeMap::new();
        for (action, entry) in line.latest {
            match body(entry.body) {
                Some(body) => _ = latest.insert(action, Body(body)),
                None => readable = false,
            }
        }
        (business, Line { first_ms: line.first_ms, last_ms: line.last_ms, latest, counts: line.counts })
    });
    let lines = lines.collect();
    (lines, readable)
}
