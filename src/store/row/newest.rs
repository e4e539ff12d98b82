//! Reading the newest rows of an index: what is asked, and its way into a statement.

use super::batch::check_value;
use super::sql::{self, Dialect};
use super::{Cell, Index, Table};
use crate::store::StoreError;

/// A page of the newest rows that agree in the columns of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest<'a> {
    /// Name of an index that the [`Table`] declares.
    pub index: &'a str,
    /// What the rows agree in: one cell for each of [`Index::equal`].
    pub equal: &'a [Cell<'a>],
    /// One more column, outside the index, and what it holds. The range is read until `limit` rows pass: where few do, that
    /// is the whole range, as far as the time-out of a statement lets it.
    pub only: Option<(&'a str, Cell<'a>)>,
    /// Only rows that stand before this place: one cell for each of [`Index::order`], which need not be those of a row.
    pub before: Option<&'a [Cell<'a>]>,
    /// Rows at most.
    pub limit: usize,
}

/// Which statement a page needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    /// Which of the indexes of the table.
    pub(super) index: usize,
    /// Which column is compared besides.
    pub(super) only: Option<usize>,
    /// Whether there is a place before which rows are read.
    pub(super) before: bool,
}

/// The statement that `page` needs, and the cells for its places, in order.
pub(super) fn plan<'a>(
    store: &'static str,
    dialect: Dialect,
    table: &Table,
    page: &Newest<'a>,
) -> Result<(Shape, Vec<Cell<'a>>), StoreError> {
    let config = |reason: String| StoreError::Config { store, reason };
    let found = table.indexes().iter().enumerate().find(|(_, index)| index.name() == page.index);
    let (at, index) =
        found.ok_or_else(|| config(format!("table `{}` declares no index `{}`", table.name(), page.index)))?;
    let mut cells = check(store, table, index, index.equal(), page.equal)?;
    let mut only = None;
    if let Some((name, cell)) = page.only {
        let column = table.columns().iter().position(|column| column.name == name);
        let column = column.ok_or_else(|| config(format!("table `{}` has no column `{name}`", table.name())))?;
        cells.extend(check(store, table, index, &[column], &[cell])?);
        only = Some(column);
    }
    if let Some(before) = page.before {
        let before = check(store, table, index, index.order(), before)?;
        cells.extend(sql::range_bindings(dialect, before.len()).into_iter().map(|at| before[at]));
    }
    cells.push(Cell::Int(i64::try_from(page.limit).unwrap_or(i64::MAX)));
    Ok((Shape { index: at, only, before: page.before.is_some() }, cells))
}

/// The cells of a part of the index, if they are such.
fn check<'a>(
    store: &'static str,
    table: &Table,
    index: &Index,
    columns: &[usize],
    cells: &[Cell<'a>],
) -> Result<Vec<Cell<'a>>, StoreError> {
    if cells.len() != columns.len() {
        let reason = format!("{} cells for {} columns of index `{}`", cells.len(), columns.len(), index.name());
        return Err(StoreError::Config { store, reason });
    }
    let mut pairs = columns.iter().zip(cells);
    let checked = pairs.try_for_each(|(column, cell)| check_value(&table.columns()[*column], cell));
    checked.map(|()| cells.to_vec()).map_err(|reason| StoreError::BadRow { store, reason })
}
