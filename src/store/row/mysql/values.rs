//! Cells to the server and values back.

use sqlx::Row as _;
use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::{Arguments, Error};

use super::super::batch::{Row, padded};
use super::super::{Cell, Column, ColumnType, Value};

/// The cells of a statement for [`padded`] rows: what is missing is filled with the smallest row, written again.
pub(super) fn arguments(rows: &[Row<'_>]) -> Result<MySqlArguments, Error> {
    let mut arguments = MySqlArguments::default();
    let smallest = rows.iter().min_by_key(|row| row.bytes);
    let filling = smallest.into_iter().cycle().take(padded(rows.len()) - rows.len());
    let width = rows.first().map_or(0, |row| row.cells.len());
    arguments.reserve(width * padded(rows.len()), rows.iter().map(|row| row.bytes).sum());
    for cell in rows.iter().chain(filling).flat_map(|row| row.cells) {
        bind(&mut arguments, cell)?;
    }
    Ok(arguments)
}

pub(super) fn bind(arguments: &mut MySqlArguments, cell: &Cell<'_>) -> Result<(), Error> {
    match cell {
        Cell::Null => arguments.add(None::<&[u8]>),
        Cell::Int(number) => arguments.add(number),
        Cell::Text(text) => arguments.add(text),
        Cell::Bytes(bytes) => arguments.add(bytes),
    }
    .map_err(Error::Encode)
}

pub(super) fn read(row: &MySqlRow, columns: &[Column]) -> Result<Vec<Value>, Error> {
    let read = |(at, column): (usize, &Column)| {
        if column.kind == ColumnType::Int {
            let number: Option<i64> = row.try_get_unchecked(at)?;
            return Ok(number.map_or(Value::Null, Value::Int));
        }
        let bytes: Option<Vec<u8>> = row.try_get_unchecked(at)?;
        match (bytes, column.kind) {
            (None, _) => Ok(Value::Null),
            (Some(bytes), ColumnType::Text(_)) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Value::Text(text)),
                Err(error) => Err(Error::ColumnDecode { index: column.name.clone(), source: error.into() }),
            },
            (Some(bytes), _) => Ok(Value::Bytes(bytes)),
        }
    };
    columns.iter().enumerate().map(read).collect()
}
