//! What the stores hold, whether the log still has it or not.

use squall::store::StoreError;
use squall::store::row::Cell;

use super::Stores;
use crate::format::{BehaviourJson, DecodeError, Format};
use crate::record::Decoded;
use crate::schema::from_values;

/// The newest `limit` records of a user's timelines, newest first.
///
/// # Errors
/// What the store says. An entry that is no record is left out: `read` shows it.
pub async fn of_user(stores: &Stores, user_id: &str, limit: usize) -> Result<Vec<Decoded>, StoreError> {
    let entries = stores.timelines.timeline(user_id, None, limit).await?;
    let version = *BehaviourJson.versions().end();
    let record = |body: &[u8]| Ok::<_, DecodeError>(Decoded::new(BehaviourJson.decode(version, body)?, i64::MAX)?);
    Ok(entries.iter().filter_map(|entry| record(&entry.body).ok()).collect())
}

/// The record of an event that the table holds.
///
/// # Errors
/// What the store says. A row that is no record is left out.
pub async fn of_event(stores: &Stores, user_id: &str, event_id: &str) -> Result<Option<Decoded>, StoreError> {
    let row = stores.rows.find(&[Cell::Text(user_id), Cell::Text(event_id)]).await?;
    Ok(row.and_then(|row| Decoded::new(from_values(&row).ok()?, i64::MAX).ok()))
}
