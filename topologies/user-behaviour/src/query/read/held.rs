//! What the timelines hold of a user.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use compact_str::CompactString;
use squall::service::http::Deadline;
use squall::service::read::{ReadGate, Unread};
use squall::store::Timelines;
use squall::store::timeline::Limits;

use super::Item;

/// The newest entries, newest first.
pub(super) struct Held {
    pub(super) items: Vec<Item>,
    /// Whether there are no more in the timelines.
    pub(super) whole: bool,
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
        let entries = gate.call(deadline, timelines.timeline(user, business, limit)).await?;
        let (count, cutoff) = (entries.len(), entries.first().map(|newest| cutoff(limits, newest.at_ms)));
        let mut items: Vec<Item> = entries.into_iter().filter_map(Item::of_entry).collect();
        if business.is_none() {
            // A line whose newest is older than that of another is trimmed later: below, the others have holes.
            items.retain(|item| cutoff.is_none_or(|cutoff| item.place.at_ms > cutoff));
            let mut ids: HashSet<CompactString> = HashSet::with_capacity(items.len());
            items.retain(|item| ids.insert(item.place.id.clone()));
        }
        let whole = count < limit && items.len() == count;
        Ok(Self { items, whole })
    }

    /// Whether it lacks one of `rows`, newest first, that the rules of the timelines would have kept.
    pub(super) fn lacks(&self, rows: &[Item], limits: &Limits) -> bool {
        let last = self.items.last().filter(|_| !self.whole).map(|item| &item.place);
        let has: HashSet<&str> = self.items.iter().map(|item| item.place.id.as_str()).collect();
        rows.iter().zip(kept(rows, limits)).any(|(row, kept)| {
            kept && last.is_none_or(|last| row.place > *last) && !has.contains(row.place.id.as_str())
        })
    }
}

/// Which of `rows`, newest first, the timelines of their businesses keep.
pub(super) fn kept(rows: &[Item], limits: &Limits) -> Vec<bool> {
    let mut lines: HashMap<&str, (i64, usize)> = HashMap::new();
    let mut kept = Vec::with_capacity(rows.len());
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
