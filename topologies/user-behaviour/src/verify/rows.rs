//! How records stand in the table.

use squall::service::verify::Standing;
use squall::store::row::{Cell, Value};
use squall::store::{Rows, StoreError};

use crate::record::Decoded;

/// Rows that are held at a time.
const AT_ONCE: usize = 1_000;

pub(super) async fn look(rows: &dyn Rows, items: &[&Decoded]) -> Result<Vec<Standing>, StoreError> {
    let mut standings = Vec::with_capacity(items.len());
    for items in items.chunks(AT_ONCE) {
        let keys: Vec<Cell<'_>> = items
            .iter()
            .flat_map(|decoded| {
                let record = decoded.record();
                [Cell::Text(&record.user_id), Cell::Text(&record.event_id)]
            })
            .collect();
        let found = rows.find_many(&keys).await?;
        standings.extend(items.iter().zip(found).map(|(decoded, row)| standing(decoded, row.as_deref())));
    }
    Ok(standings)
}

/// A row replaces those of an older version, so one of an older version than the record's lacks it.
fn standing(decoded: &Decoded, row: Option<&[Value]>) -> Standing {
    let version = decoded.record().occurred_at;
    match row {
        Some([_, _, Value::Int(stands), ..]) if *stands == version => Standing::Stored,
        Some([_, _, Value::Int(stands), ..]) if *stands > version => Standing::Newer,
        _ => Standing::Absent,
    }
}
