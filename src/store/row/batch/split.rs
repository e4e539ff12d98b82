//! How many rows a statement takes.

use super::plan::Row;

/// Rows in order, in pieces of at most `max_rows` and, unless a row is larger by itself, `max_bytes`.
pub(in crate::store::row) fn split<'r, 'a>(
    mut rows: &'r [Row<'a>],
    max_rows: usize,
    max_bytes: usize,
) -> impl Iterator<Item = &'r [Row<'a>]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rows.iter().take(max_rows.max(1)).take_while(|row| {
            bytes += row.bytes;
            bytes <= max_bytes
        });
        let (piece, rest) = rows.split_at(fits.count().max(1).min(rows.len()));
        rows = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The number of rows of the statement that writes `rows` rows: a few sizes only, so that prepared statements are
/// found again. At most a quarter more; the rest is filled with rows that stand in it anyway.
pub(in crate::store::row) fn padded(rows: usize) -> usize {
    let step = (rows.next_power_of_two() / 8).max(1);
    rows.next_multiple_of(step)
}
