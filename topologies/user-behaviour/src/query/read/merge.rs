//! One page of what both stores have.

use std::collections::HashSet;

use compact_str::CompactString;

use super::held::Held;
use super::rows::RowsPage;
use super::{Ask, Item, Place};

/// The page of `ask`, and where the next one begins.
///
/// The rows reach down to their last, so what the timelines hold below that is left for the next page.
pub(super) fn merge(ask: &Ask, held: Option<&Held>, rows: &RowsPage) -> (Vec<Item>, Option<Place>) {
    let held = held.map_or(&[][..], |held| &held.items);
    let reached = |item: &&Item| rows.next.as_ref().is_none_or(|last| item.place >= *last);
    let mut items: Vec<Item> =
        rows.items.iter().chain(held.iter().filter(reached)).filter(|item| ask.takes(item)).cloned().collect();
    items.sort_by(|a, b| a.newest_first().cmp(&b.newest_first()));
    // The newest version of an event comes first.
    let mut ids: HashSet<CompactString> = HashSet::with_capacity(items.len());
    items.retain(|item| ids.insert(item.place.id.clone()));
    let more = items.len() > ask.limit;
    items.truncate(ask.limit);
    let next = match items.last() {
        Some(last) if more => Some(last.place.clone()),
        _ => rows.next.clone(),
    };
    (items, next)
}
