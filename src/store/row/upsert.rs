//! The steps of a write that every server takes alike.

use super::batch::{Row, plan, split};
use super::{Cell, Table};
use crate::store::StoreError;

/// What a statement may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Rows of one statement.
    pub(super) rows: usize,
    /// Bytes of one statement of several rows.
    pub(super) bytes: usize,
    /// Bytes of one row.
    pub(super) row_bytes: usize,
}

/// What runs the statements.
pub(super) trait Pieces: Sync {
    /// Writes each piece as one statement, all or none of them.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] when the server says that a row can never be stored, without saying which.
    fn write(&self, pieces: &[&[Row<'_>]]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Writes `cells`; the rows that can never be stored. The declared bounds find those before anything is sent. Where the
/// server refuses more, they are found by halving: every other row is stored, and older versions of the same key that
/// the refused row had replaced in the batch.
pub(super) async fn upsert(
    server: &impl Pieces,
    store: &'static str,
    table: &Table,
    cells: &[Cell<'_>],
    bounds: Bounds,
) -> Result<Vec<(usize, StoreError)>, StoreError> {
    let mut refused = Vec::new();
    loop {
        let rows = plan(store, table, cells, bounds.row_bytes, &mut refused)?;
        let pieces: Vec<&[Row<'_>]> = split(&rows, bounds.rows, bounds.bytes).collect();
        if pieces.is_empty() {
            return Ok(refused);
        }
        match server.write(&pieces).await {
            Err(StoreError::BadRow { .. }) => {}
            result => return result.map(|()| refused),
        }
        let mut culprits = culprits(server, pieces).await?;
        if culprits.is_empty() {
            return Ok(refused);
        }
        refused.append(&mut culprits);
        refused.sort_unstable_by_key(|(index, _)| *index);
    }
}

/// Writes all rows but those that the server refuses, which are returned.
async fn culprits(
    server: &impl Pieces,
    mut pieces: Vec<&[Row<'_>]>,
) -> Result<Vec<(usize, StoreError)>, StoreError> {
    let mut culprits = Vec::new();
    while let Some(piece) = pieces.pop() {
        match (server.write(&[piece]).await, piece) {
            (Ok(()), _) => {}
            (Err(error @ StoreError::BadRow { .. }), [row]) => culprits.push((row.index, error)),
            (Err(StoreError::BadRow { .. }), _) => {
                let (left, right) = piece.split_at(piece.len() / 2);
                pieces.extend([right, left]);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok(culprits)
}
