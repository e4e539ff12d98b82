//! Are all records where they should be?

use super::Failure;
use super::load::{Loaded, digest};
use crate::topology::Parts;

/// Rows read at a time.
const PAGE: usize = 1000;

/// What was found of a file's records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Distinct records found in the row store, in their newest version or a newer one.
    pub(super) rows: u64,
    /// Users found in the timelines.
    pub(super) users: u64,
    /// Distinct records and users that were not found.
    pub(super) missing: u64,
}

/// Walks the rows in order of their key, and asks for every user's profile.
pub(super) async fn reconcile(parts: &Parts, loaded: &Loaded) -> Result<Found, Failure> {
    let mut wanted = loaded.newest.clone();
    let mut found = Found::default();
    let mut page = parts.rows.scan(None, PAGE).await?;
    while let Some(last) = page.last() {
        let after: Vec<_> = last[..2].iter().map(squall::store::row::Value::as_cell).collect();
        let next = parts.rows.scan(Some(&after), PAGE).await?;
        for row in &page {
            let record = crate::schema::from_values(row)?;
            let key = digest(&record.user_id, &record.event_id);
            if wanted.get(&key).is_some_and(|newest| record.occurred_at >= *newest) {
                wanted.remove(&key);
                found.rows += 1;
            }
        }
        page = next;
    }
    for user in &loaded.users {
        found.users += u64::from(parts.timelines.profile(user).await?.is_some());
    }
    found.missing = wanted.len() as u64 + (loaded.users.len() as u64 - found.users);
    Ok(found)
}
