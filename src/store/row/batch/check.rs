//! Cells against the columns they are for.

use super::super::{Cell, Column, ColumnType, Table};
use crate::store::StoreError;

/// Bytes of protocol round a value: its length, and its share of types and flags.
const AROUND: usize = 12;

/// The bytes that a row takes in a statement, or why it can never be stored.
pub(super) fn check_row(table: &Table, cells: &[Cell<'_>], max_bytes: usize) -> Result<usize, String> {
    let mandatory = table.keys().len() + table.versions().len();
    let mut bytes = 0;
    for (at, (column, cell)) in table.columns().iter().zip(cells).enumerate() {
        check_cell(column, cell, at >= mandatory)?;
        bytes += AROUND + len(cell);
    }
    if bytes > max_bytes {
        return Err(format!("the row takes {bytes} bytes, a statement may have {max_bytes}"));
    }
    Ok(bytes)
}

/// Checks the cells of a key that is looked for.
pub(in crate::store::row) fn check_key(
    store: &'static str,
    table: &Table,
    key: &[Cell<'_>],
) -> Result<(), StoreError> {
    let expected = table.keys().len();
    let checked = if key.len() == expected {
        table.keys().iter().zip(key).try_for_each(|(column, cell)| check_cell(column, cell, false))
    } else {
        Err(format!("a key of `{}` has {expected} cells, got {}", table.name(), key.len()))
    };
    checked.map_err(|reason| StoreError::BadRow { store, reason })
}

/// Checks a cell that is looked for.
pub(in crate::store::row) fn check_value(column: &Column, cell: &Cell<'_>) -> Result<(), String> {
    check_cell(column, cell, false)
}

fn check_cell(column: &Column, cell: &Cell<'_>, nullable: bool) -> Result<(), String> {
    let bound = match (column.kind, cell) {
        (_, Cell::Null) if nullable => return Ok(()),
        (ColumnType::Int, Cell::Int(_)) => return Ok(()),
        (ColumnType::Text(bound), Cell::Text(_)) | (ColumnType::Bytes(bound), Cell::Bytes(_)) => bound,
        (_, Cell::Null) => {
            return Err(format!("column `{}` is part of the key or version, got null", column.name));
        }
        (kind, _) => return Err(format!("column `{}` takes {}, got another type", column.name, name(kind))),
    };
    if len(cell) > bound as usize {
        return Err(format!("column `{}` has {} bytes, at most {bound} are valid", column.name, len(cell)));
    }
    Ok(())
}

fn name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text(_) => "text",
        ColumnType::Bytes(_) => "bytes",
        ColumnType::Int => "an integer",
    }
}

fn len(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Null => 0,
        Cell::Int(_) => 8,
        Cell::Text(text) => text.len(),
        Cell::Bytes(bytes) => bytes.len(),
    }
}
