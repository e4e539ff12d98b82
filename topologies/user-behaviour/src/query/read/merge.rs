//! One page of what both stores have.

use std::collections::HashSet;

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
    newest_versions(&mut items);
    let more = items.len() > ask.limit;
    items.truncate(ask.limit);
    let next = match items.last() {
        Some(last) if more => Some(last.place.clone()),
        _ => rows.next.clone(),
    };
    (items, next)
}

/// Leaves of each event the version that stands first, which is its newest in a list that is newest first.
pub(super) fn newest_versions(items: &mut Vec<Item>) {
    let mut ids: HashSet<&str> = HashSet::with_capacity(items.len());
    let first: Vec<bool> = items.iter().map(|item| ids.insert(&item.place.id)).collect();
    drop(ids);
    if first.contains(&false) {
        let mut first = first.into_iter();
        items.retain(|_| first.next().unwrap_or_default());
    }
}
