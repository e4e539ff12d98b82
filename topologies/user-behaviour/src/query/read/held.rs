//! What the timelines hold of a user.

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::CompactString;
use squall::service::http::Deadline;
use squall::service::read::{ReadGate, Unread};
use squall::store::Timelines;
use squall::store::timeline::{Limits, Timeline, Whole};

use super::merge::newest_versions;
use super::{Item, Place};

/// The newest entries, newest first.
pub(super) struct Held {
    pub(super) items: Vec<Item>,
    /// Whether there are no more in the timelines.
    pub(super) ended: bool,
    /// What the timelines vouch for.
    pub(super) whole: Whole,
    /// What the timelines have from this place on is among the items; everything without one.
    reach: Option<Place>,
}

impl Held {
    /// Reads `limit` of them at most. What cannot be read is left out.
    pub(super) async fn read(
        timelines: &Arc<dyn Timelines>,
        gate: &ReadGate,
        limits: &Limits,
        (user, business): (&str, Option<&str>),
        limit: usize,
        deadline: Deadline,
    ) -> Result<Self, Unread> {
        let limit = limit.min(limits.keep).max(1);
        let Timeline { entries, whole } = gate.call(deadline, timelines.read(user, business, limit)).await?;
        let (count, cutoff) = (entries.len(), entries.first().map(|newest| cutoff(limits, newest.at_ms)));
        let last = entries.last().filter(|_| count >= limit);
        let mut reach = last.map(|last| Place { at_ms: last.at_ms, id: last.id.as_str().into() });
        let mut items: Vec<Item> = entries.into_iter().filter_map(Item::of_entry).collect();
        if let Some(cutoff) = cutoff.filter(|_| business.is_none()) {
            // A line whose newest is older than that of another is trimmed later: below, the others have holes.
            let trusted = Place { at_ms: cutoff.saturating_add(1), id: CompactString::default() };
            if items.last().is_some_and(|last| last.place < trusted) {
                items.retain(|item| item.place >= trusted);
                reach = Some(trusted);
            }
            newest_versions(&mut items);
        }
        let ended = reach.is_none() && items.len() == count;
        Ok(Self { items, ended, whole, reach })
    }

    /// Whether it lacks one of `rows`, newest first, that the rules of the timelines would have kept, or has it in an older
    /// version.
    pub(super) fn lacks(&self, rows: &[Item], limits: &Limits) -> bool {
        let has: HashMap<&str, i64> =
            self.items.iter().map(|item| (item.place.id.as_str(), item.place.at_ms)).collect();
        let reached = |row: &Item| self.reach.as_ref().is_none_or(|reach| row.place >= *reach);
        let has = |row: &Item| has.get(row.place.id.as_str()).is_some_and(|at_ms| *at_ms >= row.place.at_ms);
        let lacking: HashMap<&str, &Item> =
            rows.iter().filter(|row| reached(row) && !has(row)).map(|row| (row.place.id.as_str(), row)).collect();
        if lacking.is_empty() {
            return false;
        }
        // Rows may be behind: what a timeline keeps is decided by all that there is.
        let held = self.items.iter().filter(|item| !lacking.contains_key(item.place.id.as_str()));
        let mut all: Vec<&Item> = held.chain(lacking.values().copied()).collect();
        all.sort_unstable_by_key(|item| item.newest_first());
        let kept = kept(all.iter().copied(), limits);
        all.into_iter().zip(kept).any(|(item, kept)| kept && lacking.contains_key(item.place.id.as_str()))
    }
}

/// Which of `rows`, newest first, the timelines of their businesses keep.
pub(super) fn kept<'a>(rows: impl IntoIterator<Item = &'a Item>, limits: &Limits) -> Vec<bool> {
    let mut lines: HashMap<&str, (i64, usize)> = HashMap::new();
    let mut kept = Vec::new();
    for row in rows {
        // The first of a line is its newest.
        let (newest, count) = lines.entry(&row.business).or_insert((row.place.at_ms, 0));
        *count += 1;
        kept.push(*count <= limits.keep && row.place.at_ms > cutoff(limits, *newest));
    }
    kept
}

/// Entries of this age and older ones are trimmed from a timeline whose newest is `newest_ms`.
fn cutoff(limits: &Limits, newest_ms: i64) -> i64 {
    newest_ms.saturating_sub(i64::try_from(limits.max_age.as_millis()).unwrap_or(i64::MAX))
}
