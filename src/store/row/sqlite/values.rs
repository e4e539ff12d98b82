//! Cells to the file and values back.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Error};

use super::super::batch::{Row, padded};
use super::super::{Cell, Column, ColumnType, Value};

/// The cells of a statement for [`padded`] rows: what is missing is filled with the smallest row, written again.
pub(super) fn arguments(rows: &[Row<'_>]) -> Result<SqliteArguments, Error> {
    let mut arguments = SqliteArguments::default();
    let smallest = rows.iter().min_by_key(|row| row.bytes);
    let filling = smallest.into_iter().cycle().take(padded(rows.len()) - rows.len());
    let width = rows.first().map_or(0, |row| row.cells.len());
    arguments.reserve(width * padded(rows.len()), rows.iter().map(|row| row.bytes).sum());
    for cell in rows.iter().chain(filling).flat_map(|row| row.cells) {
        bind(&mut arguments, cell)?;
    }
    Ok(arguments)
}

pub(super) fn bind(arguments: &mut SqliteArguments, cell: &Cell<'_>) -> Result<(), Error> {
    match cell {
        Cell::Null => arguments.add(None::<&[u8]>),
        Cell::Int(number) => arguments.add(*number),
        Cell::Text(text) => arguments.add(*text),
        Cell::Bytes(bytes) => arguments.add(*bytes),
    }
    .map_err(Error::Encode)
}

pub(super) fn read(row: &SqliteRow, columns: &[Column]) -> Result<Vec<Value>, Error> {
    let read = |(at, column): (usize, &Column)| {
        Ok(match column.kind {
            ColumnType::Int => row.try_get_unchecked::<Option<i64>, _>(at)?.map(Value::Int),
            ColumnType::Text(_) => row.try_get_unchecked::<Option<String>, _>(at)?.map(Value::Text),
            ColumnType::Bytes(_) => row.try_get_unchecked::<Option<Vec<u8>>, _>(at)?.map(Value::Bytes),
        }
        .unwrap_or(Value::Null))
    };
    columns.iter().enumerate().map(read).collect()
}
