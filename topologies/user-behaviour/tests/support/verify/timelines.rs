//! Is every timeline and every profile exactly what the rules make of the log?

use std::collections::BTreeMap;

use squall::store::Timelines;
use squall::store::timeline::{LineProfile, StoredEntry};

use super::Verdict;
use super::demand::{DAY_MS, Line, User, key_of};
use super::waiting::Waiting;

const KEEP: usize = 200;
const MAX_AGE_MS: i64 = 90 * DAY_MS;
const COUNT_DAYS: i64 = 30;

pub(super) async fn check(
    timelines: &dyn Timelines,
    name: &str,
    user: &User,
    waiting: &Waiting,
    verdict: &mut Verdict,
) {
    for (business, line) in &user.lines {
        let stored = timelines.timeline(name, Some(business), KEEP + 1).await.unwrap();
        check_line(line, &stored, |id| waiting.timelines.contains(&key_of(name, id)), verdict);
    }
    check_profile(timelines, name, user, verdict).await;
}

fn check_line(line: &Line, stored: &[StoredEntry], waits: impl Fn(&str) -> bool, verdict: &mut Verdict) {
    let mut expected: Vec<(i64, &str)> = line.events.iter().map(|(id, at)| (*at, id.as_str())).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    let newest = expected[0].0;
    expected.retain(|(at, _)| *at > newest - MAX_AGE_MS);
    expected.truncate(KEEP);
    let stored: Vec<(i64, &str)> = stored.iter().map(|entry| (entry.at_ms, entry.id.as_str())).collect();
    if stored == expected {
        return;
    }
    verdict.wrong_timelines += 1;
    let found: BTreeMap<&str, i64> = stored.iter().map(|(at, id)| (*id, *at)).collect();
    for (at, id) in expected {
        match found.get(id) {
            None => {
                verdict.missing_entries += 1;
                verdict.waiting_entries += u64::from(waits(id));
            }
            Some(stands) => verdict.stale_entries += u64::from(*stands != at),
        }
    }
}

async fn check_profile(timelines: &dyn Timelines, name: &str, user: &User, verdict: &mut Verdict) {
    let mut counts: BTreeMap<(&str, &str, i64), u64> = BTreeMap::new();
    for (business, action, day, _) in &user.counted {
        if *day > user.newest_day - COUNT_DAYS {
            *counts.entry((business, action, *day)).or_default() += 1;
        }
    }
    let profile = timelines.profile(name).await.unwrap().unwrap_or_default();
    let mut stored = BTreeMap::new();
    for (business, line) in &profile.lines {
        for (action, days) in &line.counts {
            for (day, count) in days {
                stored.insert((business.as_str(), action.as_str(), *day), *count);
            }
        }
    }
    let seen = |f: fn(&LineProfile) -> i64| {
        profile.lines.iter().map(move |(business, line)| (business.clone(), f(line))).collect::<Vec<_>>()
    };
    let expected = |f: fn(&Line) -> i64| {
        user.lines.iter().map(move |(business, line)| (business.clone(), f(line))).collect::<Vec<_>>()
    };
    let right = stored == counts
        && seen(|line| line.last_ms) == expected(|line| line.last_ms)
        && seen(|line| line.first_ms) == expected(|line| line.first_ms);
    verdict.wrong_profiles += u64::from(!right);
}
