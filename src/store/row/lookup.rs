//! Many keys at once: from cells laid end to end to statements, and from the rows found to one answer a key.

use super::batch::{Row, check_key};
use super::{Cell, Table, Value};
use crate::store::StoreError;

/// Keys of one statement at most: servers turn longer lists into a table of their own, which costs more than it saves.
pub(super) const KEYS: usize = 500;
/// Bytes of protocol round a value.
const AROUND: usize = 12;

/// The keys of `cells` that a row can have, sorted.
pub(super) fn keys<'a>(
    store: &'static str,
    table: &Table,
    cells: &'a [Cell<'a>],
) -> Result<Vec<Row<'a>>, StoreError> {
    let width = table.keys().len();
    if width == 0 || !cells.len().is_multiple_of(width) {
        let reason = format!("{} cells are not keys of `{}`, which have {width}", cells.len(), table.name());
        return Err(StoreError::Config { store, reason });
    }
    let all = cells.chunks_exact(width).enumerate();
    let fitting = all.filter(|(_, cells)| check_key(store, table, cells).is_ok());
    let mut keys: Vec<_> = fitting.map(|(index, cells)| Row { index, cells, bytes: bytes(cells) }).collect();
    keys.sort_by(|a, b| a.cells.cmp(b.cells));
    Ok(keys)
}

/// Gives `row` to all of `keys`, which are sorted, that ask for it.
pub(super) fn answer(keys: &[Row<'_>], row: Vec<Value>, answers: &mut [Option<Vec<Value>>]) {
    let Some(width) = keys.first().map(|key| key.cells.len()) else { return };
    let own: Vec<Cell<'_>> = row.iter().take(width).map(Value::as_cell).collect();
    let first = keys.partition_point(|key| *key.cells < own[..]);
    for key in keys[first..].iter().take_while(|key| *key.cells == own[..]) {
        answers[key.index] = Some(row.clone());
    }
}

fn bytes(cells: &[Cell<'_>]) -> usize {
    let length = |cell: &Cell<'_>| match cell {
        Cell::Null => 0,
        Cell::Int(_) => 8,
        Cell::Text(text) => text.len(),
        Cell::Bytes(bytes) => bytes.len(),
    };
    cells.iter().map(|cell| AROUND + length(cell)).sum()
}
