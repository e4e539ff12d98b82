//! What a store must hold, by the rules as they are documented: from everything that was ever written, in any order.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::timeline::{Entry, Latest, Limits, LineProfile, Profile, StoredEntry, Whole};

const DAY_MS: i64 = 86_400_000;

/// An entry that owns its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// As in [`Entry`].
    pub owner: String,
    /// As in [`Entry`].
    pub line: String,
    /// As in [`Entry`].
    pub action: String,
    /// As in [`Entry`].
    pub id: String,
    /// As in [`Entry`].
    pub at_ms: i64,
    /// As in [`Entry`].
    pub body: Vec<u8>,
}

impl Write {
    /// The entry that a store is given.
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            owner: &self.owner,
            line: &self.line,
            action: &self.action,
            id: &self.id,
            at_ms: self.at_ms,
            body: &self.body,
        }
    }
}

/// Everything that was ever written.
#[derive(Debug, Clone)]
pub struct Model {
    limits: Limits,
    writes: Vec<Write>,
}

impl Model {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, writes: Vec::new() }
    }

    /// Remembers writes, in the order they were made in.
    pub fn extend(&mut self, writes: impl IntoIterator<Item = Write>) {
        self.writes.extend(writes);
    }

    /// All owners that were written to.
    pub fn owners(&self) -> BTreeSet<&str> {
        self.writes.iter().map(|write| &*write.owner).collect()
    }

    /// The owner's lines.
    pub fn lines<'a>(&'a self, owner: &'a str) -> BTreeSet<&'a str> {
        self.of(owner).map(|write| &*write.line).collect()
    }

    /// What a read of the timeline gives.
    pub fn timeline(&self, owner: &str, line: Option<&str>, limit: usize) -> Vec<StoredEntry> {
        let lines = match line {
            Some(line) => BTreeSet::from([line]),
            None => self.lines(owner),
        };
        let mut all: Vec<StoredEntry> = lines.into_iter().flat_map(|line| self.line(owner, line)).collect();
        all.sort_by(|a, b| (b.at_ms, b.id.as_bytes()).cmp(&(a.at_ms, a.id.as_bytes())));
        all.truncate(limit);
        all
    }

    /// What the profile says.
    pub fn profile(&self, owner: &str) -> Option<Profile> {
        let newest_day = self.of(owner).map(|write| write.at_ms.div_euclid(DAY_MS)).max()?;
        let oldest_day = newest_day - i64::from(self.limits.count_days) + 1;
        let line = |line: &str| (line.to_owned(), self.line_profile(owner, line, oldest_day));
        Some(Profile { lines: self.lines(owner).into_iter().map(line).collect(), whole: Whole::Unknown })
    }

    fn of<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a Write> {
        self.writes.iter().filter(move |write| write.owner == owner)
    }

    /// The timeline of a line: the newest version of each id, of these the young enough, of these the greatest.
    fn line(&self, owner: &str, line: &str) -> Vec<StoredEntry> {
        let writes: Vec<&Write> = self.of(owner).filter(|write| write.line == line).collect();
        let Some(newest) = writes.iter().map(|write| write.at_ms).max() else { return vec![] };
        let mut versions: BTreeMap<&str, &Write> = BTreeMap::new();
        for write in writes {
            let version = versions.entry(&write.id).or_insert(write);
            if write.at_ms >= version.at_ms {
                *version = write;
            }
        }
        let max_age = self.limits.max_age.as_millis();
        let mut kept: Vec<&Write> =
            versions.into_values().filter(|write| ((newest - write.at_ms) as u128) < max_age).collect();
        kept.sort_by(|a, b| (b.at_ms, b.id.as_bytes()).cmp(&(a.at_ms, a.id.as_bytes())));
        kept.truncate(self.limits.keep);
        let stored = |write: &Write| StoredEntry {
            line: line.to_owned(),
            id: write.id.clone(),
            at_ms: write.at_ms,
            body: write.body.clone(),
        };
        kept.into_iter().map(stored).collect()
    }

    fn line_profile(&self, owner: &str, line: &str, oldest_day: i64) -> LineProfile {
        let mut profile = LineProfile { first_ms: i64::MAX, last_ms: i64::MIN, ..LineProfile::default() };
        let mut counted: BTreeSet<(&str, i64, &str)> = BTreeSet::new();
        for write in self.of(owner).filter(|write| write.line == line) {
            profile.first_ms = profile.first_ms.min(write.at_ms);
            profile.last_ms = profile.last_ms.max(write.at_ms);
            let new = Latest { at_ms: write.at_ms, id: write.id.clone(), body: write.body.clone() };
            let latest = profile.latest.entry(write.action.clone()).or_insert_with(|| new.clone());
            if (new.at_ms, new.id.as_bytes()) >= (latest.at_ms, latest.id.as_bytes()) {
                *latest = new;
            }
            counted.insert((&write.action, write.at_ms.div_euclid(DAY_MS), &write.id));
        }
        for (action, day, _) in counted.into_iter().filter(|(_, day, _)| *day >= oldest_day) {
            *profile.counts.entry(action.to_owned()).or_default().entry(day).or_default() += 1;
        }
        profile
    }
}
