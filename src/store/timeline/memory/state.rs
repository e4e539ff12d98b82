//! The state of one owner, and the rules.

use std::collections::BTreeMap;

use bytes::Bytes;
use compact_str::CompactString;

use super::super::entry::{Bounds, day, digest};
use super::super::{Entry, Latest, LineProfile, Profile, StoredEntry, Whole};

/// Everything known of an owner.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// Its greatest day over all lines.
    pub(super) newest_day: i64,
    pub(super) lines: BTreeMap<CompactString, Line>,
    /// Of this process alone.
    pub(super) repair: Repair,
}

/// How far an owner is from being whole.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repair {
    #[default]
    Never,
    Begun(u64),
    Ended(Whole),
}

/// One timeline and its part of the profile.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    /// Ascending by `(at_ms, id)`.
    pub(super) kept: Vec<Kept>,
    pub(super) latest: BTreeMap<CompactString, Kept>,
    /// By action, by day: the digests of what was counted, ascending.
    pub(super) counted: BTreeMap<CompactString, BTreeMap<i64, Vec<u64>>>,
}

/// An entry that is kept; its body may be shared by the timeline and the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) at_ms: i64,
    pub(super) id: CompactString,
    pub(super) body: Bytes,
}

impl Owner {
    /// Adds `entry`, which was checked, and trims.
    pub(super) fn apply(&mut self, entry: &Entry<'_>, bounds: &Bounds) {
        let kept = Kept { at_ms: entry.at_ms, id: entry.id.into(), body: Bytes::copy_from_slice(entry.body) };
        let line = match self.lines.get_mut(entry.line) {
            Some(line) => line,
            None => self.lines.entry(entry.line.into()).or_insert_with(|| Line::starting(entry.at_ms)),
        };
        line.first_ms = line.first_ms.min(entry.at_ms);
        line.last_ms = line.last_ms.max(entry.at_ms);
        line.keep_latest(entry.action, &kept);
        line.keep(kept, bounds);
        self.count(entry, bounds);
    }

    /// Brings a state that was written under other limits within `bounds`.
    pub(super) fn trim(&mut self, bounds: &Bounds) {
        for line in self.lines.values_mut() {
            line.trim(bounds);
            line.forget_days(bounds.day_cutoff(self.newest_day));
        }
    }

    /// The newest `limit` entries, newest first, of one line or of all.
    pub(super) fn timeline(&self, line: Option<&str>, limit: usize) -> Vec<StoredEntry> {
        if let Some(name) = line {
            let kept = self.lines.get(name).map_or(&[][..], |line| &line.kept);
            return kept.iter().rev().take(limit).map(|kept| stored(name, kept)).collect();
        }
        let mut all: Vec<(&Kept, &str)> = Vec::new();
        for (name, line) in &self.lines {
            all.extend(line.kept.iter().rev().take(limit).map(|kept| (kept, name.as_str())));
        }
        all.sort_unstable_by(|(a, in_a), (b, in_b)| (b.order(), in_b).cmp(&(a.order(), in_a)));
        all.truncate(limit);
        all.into_iter().map(|(kept, name)| stored(name, kept)).collect()
    }

    pub(super) fn profile(&self) -> Profile {
        let lines = self.lines.iter().map(|(name, line)| (name.to_string(), line.profile())).collect();
        Profile { lines, whole: self.whole() }
    }

    pub(super) fn whole(&self) -> Whole {
        match self.repair {
            Repair::Ended(whole) => whole,
            Repair::Never | Repair::Begun(_) => Whole::Unknown,
        }
    }

    /// The number of the repair that is under way now.
    pub(super) fn begin_repair(&mut self, repair: u64) -> u64 {
        match self.repair {
            Repair::Begun(begun) => begun,
            Repair::Never | Repair::Ended(_) => {
                self.repair = Repair::Begun(repair);
                repair
            }
        }
    }

    /// Whether the repair was under way.
    pub(super) fn end_repair(&mut self, repair: u64, whole: Whole) -> bool {
        let begun = self.repair == Repair::Begun(repair);
        if begun {
            self.repair = Repair::Ended(whole);
        }
        begun
    }

    fn count(&mut self, entry: &Entry<'_>, bounds: &Bounds) {
        let day = day(entry.at_ms);
        if day > self.newest_day {
            self.newest_day = day;
            let cutoff = bounds.day_cutoff(day);
            self.lines.values_mut().for_each(|line| line.forget_days(cutoff));
        }
        if day <= bounds.day_cutoff(self.newest_day) {
            return;
        }
        let line = self.lines.get_mut(entry.line).expect("the caller has just written to the line");
        let days = match line.counted.get_mut(entry.action) {
            Some(days) => days,
            None => line.counted.entry(entry.action.into()).or_default(),
        };
        let seen = days.entry(day).or_default();
        let digest = digest(entry);
        if let Err(at) = seen.binary_search(&digest) {
            seen.insert(at, digest);
        }
    }
}

impl Line {
    pub(super) fn starting(at_ms: i64) -> Self {
        Self {
            first_ms: at_ms,
            last_ms: at_ms,
            kept: Vec::new(),
            latest: BTreeMap::new(),
            counted: BTreeMap::new(),
        }
    }

    fn keep_latest(&mut self, action: &str, kept: &Kept) {
        match self.latest.get_mut(action) {
            Some(latest) if kept.order() >= latest.order() => *latest = kept.clone(),
            Some(_) => {}
            None => _ = self.latest.insert(action.into(), kept.clone()),
        }
    }

    fn keep(&mut self, kept: Kept, bounds: &Bounds) {
        if let Some(at) = self.kept.iter().position(|old| old.id == kept.id) {
            if self.kept[at].at_ms > kept.at_ms {
                return;
            }
            self.kept.remove(at);
        }
        let at = self.kept.partition_point(|old| old.order() < kept.order());
        self.kept.insert(at, kept);
        self.trim(bounds);
    }

    fn trim(&mut self, bounds: &Bounds) {
        let cutoff = bounds.cutoff(self.last_ms);
        let aged = self.kept.partition_point(|kept| kept.at_ms <= cutoff);
        let surplus = self.kept.len().saturating_sub(bounds.keep);
        self.kept.drain(..aged.max(surplus));
    }

    fn forget_days(&mut self, cutoff: i64) {
        self.counted.retain(|_, days| {
            while days.first_key_value().is_some_and(|(day, _)| *day <= cutoff) {
                days.pop_first();
            }
            !days.is_empty()
        });
    }

    fn profile(&self) -> LineProfile {
        let latest = |kept: &Kept| Latest { at_ms: kept.at_ms, id: kept.id.to_string(), body: kept.body.to_vec() };
        let counts =
            |days: &BTreeMap<i64, Vec<u64>>| days.iter().map(|(day, seen)| (*day, seen.len() as u64)).collect();
        LineProfile {
            first_ms: self.first_ms,
            last_ms: self.last_ms,
            latest: self.latest.iter().map(|(action, kept)| (action.to_string(), latest(kept))).collect(),
            counts: self.counted.iter().map(|(action, days)| (action.to_string(), counts(days))).collect(),
        }
    }
}

impl Kept {
    fn order(&self) -> (i64, &[u8]) {
        (self.at_ms, self.id.as_bytes())
    }
}

fn stored(line: &str, kept: &Kept) -> StoredEntry {
    StoredEntry { line: line.to_owned(), id: kept.id.to_string(), at_ms: kept.at_ms, body: kept.body.to_vec() }
}
