//! The SQL of one table, made once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::AssertSqlSafe;

use super::newest::{self, Newest, Shape};
use super::sql::{self, Dialect};
use super::{Cell, Table};
use crate::store::StoreError;

/// Only declared names are in it, which were checked; values are bound.
pub(super) type Sql = AssertSqlSafe<Arc<str>>;

pub(super) struct Statements {
    dialect: Dialect,
    table: Table,
    /// By number of rows, of which there are few: see [`padded`](super::batch::padded).
    upserts: Mutex<HashMap<usize, Arc<str>>>,
    find: Arc<str>,
    /// By number of keys, padded in the same way.
    finds: Mutex<HashMap<usize, Arc<str>>>,
    first: Arc<str>,
    next: Arc<str>,
    /// By shape, of which a table has few for each index and column.
    newest: Mutex<HashMap<Shape, Arc<str>>>,
    count: Arc<str>,
}

impl Statements {
    pub(super) fn new(dialect: Dialect, table: Table) -> Self {
        Self {
            dialect,
            upserts: Mutex::default(),
            find: sql::find(dialect, &table).into(),
            finds: Mutex::default(),
            first: sql::scan(dialect, &table, false).into(),
            next: sql::scan(dialect, &table, true).into(),
            newest: Mutex::default(),
            count: sql::count(dialect, &table).into(),
            table,
        }
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn upsert(&self, rows: usize) -> Sql {
        let mut upserts = self.upserts.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = upserts.entry(rows).or_insert_with(|| sql::upsert(self.dialect, &self.table, rows).into());
        AssertSqlSafe(sql.clone())
    }

    pub(super) fn find(&self) -> Sql {
        AssertSqlSafe(self.find.clone())
    }

    pub(super) fn find_many(&self, keys: usize) -> Sql {
        let mut finds = self.finds.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = finds.entry(keys).or_insert_with(|| sql::find_many(self.dialect, &self.table, keys).into());
        AssertSqlSafe(sql.clone())
    }

    /// The statement of a page, and the cells for its places.
    pub(super) fn newest<'a>(
        &self,
        store: &'static str,
        page: &Newest<'a>,
    ) -> Result<(Sql, Vec<Cell<'a>>), StoreError> {
        let (shape, cells) = newest::plan(store, self.dialect, &self.table, page)?;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = newest.entry(shape).or_insert_with(|| sql::newest(self.dialect, &self.table, shape).into());
        Ok((AssertSqlSafe(sql.clone()), cells))
    }

    pub(super) fn scan(&self, after: bool) -> Sql {
        AssertSqlSafe(if after { self.next.clone() } else { self.first.clone() })
    }

    /// The cells of `after` for the places of [`scan`](Self::scan).
    pub(super) fn scan_bindings(&self) -> Vec<usize> {
        sql::range_bindings(self.dialect, self.table.keys().len())
    }

    pub(super) fn count(&self) -> Sql {
        AssertSqlSafe(self.count.clone())
    }
}
