//! Which rows are written, in which order.

use super::super::{Cell, Table};
use super::check::check_row;
use crate::store::StoreError;

/// A row to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::row) struct Row<'a> {
    /// Its index in what the caller gave.
    pub(in crate::store::row) index: usize,
    pub(in crate::store::row) cells: &'a [Cell<'a>],
    /// What it takes in a statement.
    pub(in crate::store::row) bytes: usize,
}

/// The rows of `cells` that have to be written, sorted by key, one of a key; appends those that can never be stored
/// to `refused`, which stays ascending. What `refused` lists already is left out.
pub(in crate::store::row) fn plan<'a>(
    store: &'static str,
    table: &Table,
    cells: &'a [Cell<'a>],
    max_bytes: usize,
    refused: &mut Vec<(usize, StoreError)>,
) -> Result<Vec<Row<'a>>, StoreError> {
    let width = table.width();
    if width == 0 || !cells.len().is_multiple_of(width) {
        let reason =
            format!("{} cells are not rows of `{}`, which has {width} columns", cells.len(), table.name());
        return Err(StoreError::Config { store, reason });
    }
    let mut rows = Vec::with_capacity(cells.len() / width);
    let mut bad = Vec::new();
    for (index, cells) in cells.chunks_exact(width).enumerate() {
        if refused.binary_search_by_key(&index, |(index, _)| *index).is_ok() {
            continue;
        }
        match check_row(table, cells, max_bytes) {
            Ok(bytes) => rows.push(Row { index, cells, bytes }),
            Err(reason) => bad.push((index, StoreError::BadRow { store, reason })),
        }
    }
    refused.append(&mut bad);
    refused.sort_unstable_by_key(|(index, _)| *index);
    let (keys, versions) = (table.keys().len(), table.keys().len() + table.versions().len());
    // By key, then by version, then in the order given: keys and versions stand first in a row.
    rows.sort_by(|a, b| a.cells[..versions].cmp(&b.cells[..versions]));
    rows.dedup_by(|later, kept| {
        let same = later.cells[..keys] == kept.cells[..keys];
        if same {
            *kept = *later;
        }
        same
    });
    Ok(rows)
}
