//! The store itself.

use std::fmt;
use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite};
use tokio::time::timeout;

use super::super::batch::{Row, check_key, padded, split};
use super::super::lease::{Ended, Lease, timed_out, within};
use super::super::lookup::{KEYS, answer, keys};
use super::super::sql::Dialect;
use super::super::statements::{Sql, Statements};
use super::super::upsert::{Bounds, Pieces, upsert};
use super::super::{Cell, Newest, Rows, Table, Value, schema};
use super::error::{STORE, classify};
use super::settings::SqliteSettings;
use super::values::{arguments, bind, read};
use crate::store::StoreError;
use crate::topology::BoxFuture;

/// Places of a statement, as the library is built.
const PLACES: usize = 32_766;
/// Bytes of a row: what the library bounds a value to, with room for the row round it.
const ROW_BYTES: usize = 900_000_000;

/// Rows of one table in an SQLite file.
pub struct SqliteRows {
    pub(super) writer: SqlitePool,
    readers: SqlitePool,
    settings: SqliteSettings,
    path: String,
    statements: Statements,
    migrator: Migrator,
}

impl SqliteRows {
    /// Opens the file, which is created when it is missing. Neither creates nor checks the table: see
    /// [`Rows::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Config`] when the settings cannot work, [`StoreError::Io`] when the file cannot be used.
    pub async fn open(
        path: &Path,
        settings: SqliteSettings,
        table: Table,
        migrator: Migrator,
    ) -> Result<Self, StoreError> {
        if table.keys().is_empty() {
            return Err(StoreError::Config {
                store: STORE,
                reason: format!("table `{}` has no key", table.name()),
            });
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(settings.busy_timeout)
            .pragma("cache_size", format!("-{}", settings.cache_kib))
            .pragma("wal_autocheckpoint", settings.checkpoint_pages.to_string())
            .statement_cache_capacity(64)
            .disable_statement_logging();
        let pool = |connections: u32| {
            SqlitePoolOptions::new().max_connections(connections.max(1)).acquire_timeout(settings.acquire_timeout)
        };
        let path = path.display().to_string();
        // Opened at once, so that the file and its mode are there for the readers.
        let writer = pool(1).connect_with(options.clone()).await.map_err(|error| classify(error, &path))?;
        let readers = pool(settings.readers).connect_lazy_with(options);
        Ok(Self { writer, readers, path, statements: Statements::new(Dialect::Sqlite, table), settings, migrator })
    }

    /// Waits for calls that run, and closes the file. It is also closed, a moment later, when the store is dropped.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn lease(&self, pool: &SqlitePool) -> Result<Lease<Sqlite>, StoreError> {
        Lease::acquire(pool).await.map_err(|ended| self.error(ended))
    }

    fn error(&self, ended: Ended) -> StoreError {
        match ended {
            Ended::Timeout(what, bound) => timed_out(STORE, what, bound),
            Ended::Failed(error) => classify(error, &self.path),
        }
    }

    fn bounds(&self) -> Bounds {
        // Filling up to a known number of rows may add a quarter.
        let rows = self.settings.batch_rows.min(PLACES / self.table().width() * 4 / 5);
        Bounds { rows: rows.max(1), bytes: self.settings.batch_bytes, row_bytes: ROW_BYTES }
    }

    async fn within<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Ended> {
        within(what, self.settings.statement_timeout, call).await
    }

    async fn run(&self, connection: &mut SqliteConnection, piece: &[Row<'_>]) -> Result<(), Ended> {
        let bound = arguments(piece).map_err(Ended::Failed)?;
        let query = sqlx::query_with(self.statements.upsert(padded(piece.len())), bound);
        self.within("writing rows", query.execute(connection)).await.map(drop)
    }

    /// All pieces or none.
    async fn run_all(&self, connection: &mut SqliteConnection, pieces: &[&[Row<'_>]]) -> Result<(), Ended> {
        if let [piece] = pieces {
            return self.run(connection, piece).await;
        }
        // At once with the lock for writing: a transaction that read first could not wait for it.
        let begin = connection.begin_with("BEGIN IMMEDIATE");
        let mut transaction = self.within("beginning a transaction", begin).await?;
        for piece in pieces {
            if let Err(ended) = self.run(&mut transaction, piece).await {
                self.within("rolling back", transaction.rollback()).await?;
                return Err(ended);
            }
        }
        self.within("committing", transaction.commit()).await
    }

    async fn select_one(&self, key: &[Cell<'_>]) -> Result<Option<Vec<Value>>, StoreError> {
        check_key(STORE, self.table(), key)?;
        let arguments = self.bound(key)?;
        let mut lease = self.lease(&self.readers).await?;
        let query = sqlx::query_with(self.statements.find(), arguments);
        let found = self.within("finding a row", query.fetch_optional(lease.connection())).await;
        let row = lease.finish(found).map_err(|ended| self.error(ended))?;
        row.map(|row| self.read(&row)).transpose()
    }

    async fn select_many(&self, cells: &[Cell<'_>]) -> Result<Vec<Option<Vec<Value>>>, StoreError> {
        let (keys, bounds) = (keys(STORE, self.table(), cells)?, self.bounds());
        let mut answers = vec![None; cells.len() / self.table().keys().len()];
        for piece in split(&keys, bounds.rows.min(KEYS), bounds.bytes) {
            let arguments = arguments(piece).map_err(|error| self.error(Ended::Failed(error)))?;
            let mut lease = self.lease(&self.readers).await?;
            let query = sqlx::query_with(self.statements.find_many(padded(piece.len())), arguments);
            let found = self.within("finding rows", query.fetch_all(lease.connection())).await;
            for row in lease.finish(found).map_err(|ended| self.error(ended))? {
                answer(piece, self.read(&row)?, &mut answers);
            }
        }
        Ok(answers)
    }

    async fn select(&self, after: Option<&[Cell<'_>]>, limit: usize) -> Result<Vec<Vec<Value>>, StoreError> {
        let mut cells = Vec::new();
        if let Some(key) = after {
            check_key(STORE, self.table(), key)?;
            cells.extend(self.statements.scan_bindings().into_iter().map(|at| key[at]));
        }
        cells.push(Cell::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
        self.fetch("scanning rows", self.statements.scan(after.is_some()), &cells).await
    }

    async fn select_newest(&self, page: &Newest<'_>) -> Result<Vec<Vec<Value>>, StoreError> {
        let (sql, cells) = self.statements.newest(STORE, page)?;
        self.fetch("reading the newest rows", sql, &cells).await
    }

    async fn fetch(
        &self,
        what: &'static str,
        sql: Sql,
        cells: &[Cell<'_>],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let arguments = self.bound(cells)?;
        let mut lease = self.lease(&self.readers).await?;
        let query = sqlx::query_with(sql, arguments);
        let found = self.within(what, query.fetch_all(lease.connection())).await;
        let rows = lease.finish(found).map_err(|ended| self.error(ended))?;
        rows.iter().map(|row| self.read(row)).collect()
    }

    fn bound(&self, cells: &[Cell<'_>]) -> Result<SqliteArguments, StoreError> {
        let mut arguments = SqliteArguments::default();
        let bound = cells.iter().try_for_each(|cell| bind(&mut arguments, cell));
        bound.map(|()| arguments).map_err(|error| classify(error, &self.path))
    }

    fn read(&self, row: &SqliteRow) -> Result<Vec<Value>, StoreError> {
        read(row, self.table().columns()).map_err(|error| classify(error, &self.path))
    }

    async fn schema(&self, apply: bool) -> Result<(), StoreError> {
        let mut lease = self.lease(&self.writer).await?;
        let (what, bound) = match apply {
            true => ("applying migrations", self.settings.migrate_timeout),
            false => ("checking the schema", self.settings.statement_timeout),
        };
        match timeout(bound, schema::run(lease.connection(), &self.migrator, apply)).await {
            Ok(Ok(())) => lease.finish(Ok(())).map_err(|ended| self.error(ended)),
            Ok(Err(mismatch)) => Err(schema::error(STORE, mismatch, |error| classify(error, &self.path))),
            Err(_) => Err(timed_out(STORE, what, bound)),
        }
    }
}

impl Pieces for SqliteRows {
    async fn write(&self, pieces: &[&[Row<'_>]]) -> Result<(), StoreError> {
        let mut lease = self.lease(&self.writer).await?;
        let written = self.run_all(lease.connection(), pieces).await;
        lease.finish(written).map_err(|ended| self.error(ended))
    }
}

impl Rows for SqliteRows {
    fn table(&self) -> &Table {
        self.statements.table()
    }

    fn upsert<'a>(&'a self, cells: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>> {
        Box::pin(upsert(self, STORE, self.statements.table(), cells, self.bounds()))
    }

    fn find<'a>(&'a self, key: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Option<Vec<Value>>, StoreError>> {
        Box::pin(self.select_one(key))
    }

    fn find_many<'a>(
        &'a self,
        keys: &'a [Cell<'a>],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<Value>>>, StoreError>> {
        Box::pin(self.select_many(keys))
    }

    fn newest<'a>(&'a self, page: &'a Newest<'a>) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>> {
        Box::pin(self.select_newest(page))
    }

    fn scan<'a>(
        &'a self,
        after: Option<&'a [Cell<'a>]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>> {
        Box::pin(self.select(after, limit))
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut lease = self.lease(&self.readers).await?;
            let query = sqlx::query_scalar(self.statements.count());
            let counted = self.within("counting rows", query.fetch_one(lease.connection())).await;
            let count: i64 = lease.finish(counted).map_err(|ended| self.error(ended))?;
            Ok(count.cast_unsigned())
        })
    }

    fn check_schema(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.schema(false))
    }

    fn migrate(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.schema(true))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut lease = self.lease(&self.readers).await?;
            let answered = self.within("a ping", lease.connection().ping()).await;
            lease.finish(answered).map_err(|ended| self.error(ended))
        })
    }
}

impl fmt::Debug for SqliteRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table().name();
        f.debug_struct("SqliteRows").field("path", &self.path).field("table", &table).finish_non_exhaustive()
    }
}
