//! Versioned rows: every record by its key, and of two versions the newer.
//!
//! A [`Table`] declares key, version and value columns; the SQL is generated from it. A write inserts the row
//! or replaces the one with the same key when its version is greater **or equal**, compared column by column
//! in the order of declaration (equal replaces, so that reprocessing with a corrected program can repair what
//! it wrote). Older versions are ignored. Keys compare as bytes.
//!
//! The tables themselves are created by `sqlx` migrations that the topology ships; [`Rows::check_schema`]
//! refuses a server whose migrations are not exactly the known ones.

mod batch;
mod late;
mod lease;
mod lookup;
pub mod mysql;
mod newest;
mod schema;
mod sink;
mod sql;
pub mod sqlite;
mod statements;
mod table;
mod upsert;

pub use late::LateRows;
pub use newest::Newest;
pub use sink::RowSink;
pub use table::{Cell, Column, ColumnType, Index, Table, Value};

use std::time::Duration;

use super::StoreError;
use crate::topology::BoxFuture;

/// How busy the server of a store is, as far as it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerLoad {
    /// Threads that work at this moment.
    pub threads_running: Option<u64>,
    /// How far the slowest of the replicas that could be asked is behind.
    pub replication_lag: Option<Duration>,
}

/// A store of versioned rows of one table. Shared by all lanes of a sink and by readers; every method may be
/// called at any time. Waiting for a connection and every statement are bounded by the configured timeouts.
pub trait Rows: Send + Sync + 'static {
    /// The table it was opened for.
    fn table(&self) -> &Table;

    /// Writes rows laid end to end, each [`Table::width`] cells in the order of [`Table::columns`].
    /// Several of one key may be among them, in any order: the newest version wins, and of equal versions
    /// the last in the slice. Rows are written sorted by key, split by rows and bytes.
    ///
    /// `Ok` lists, in ascending order, the indices of rows that will never be stored, each with its reason
    /// (a value too long, a statement that one row alone makes too large, a constraint of the server); all others
    /// are stored. Safe to repeat after any error.
    ///
    /// # Errors
    /// Any error means that it is unknown which rows are stored.
    #[allow(clippy::type_complexity, reason = "one use; an alias would hide that it is a sparse list")]
    fn upsert<'a>(&'a self, cells: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>>;

    /// The row with this key, all columns in order.
    fn find<'a>(&'a self, key: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Option<Vec<Value>>, StoreError>>;

    /// The rows with these keys, laid end to end, each as many cells as [`Table::keys`] has: one answer a key, in the
    /// order given, all columns in order. A key may be asked for several times; one beyond the declared bounds has no
    /// row. Few statements of bounded size, so that many keys cost little more than one.
    ///
    /// # Errors
    /// [`StoreError::Config`] for cells that are not whole keys; after any other nothing is known of any key.
    fn find_many<'a>(&'a self, keys: &'a [Cell<'a>])
    -> BoxFuture<'a, Result<Vec<Option<Vec<Value>>>, StoreError>>;

    /// The newest rows of an index, newest first: one read of a range of it, from the place of
    /// [`before`](Newest::before) on, with few bytes more than are answered. Rows that arrive between two pages do not move
    /// what follows.
    ///
    /// # Errors
    /// [`StoreError::Config`] when the table declares no such index, or the cells are not those of its columns;
    /// [`StoreError::BadRow`] for a cell beyond the declared bounds.
    fn newest<'a>(&'a self, page: &'a Newest<'a>) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>>;

    /// Rows in order of their key, after `after` (exclusive; the key columns), at most `limit`: for verifiers
    /// that walk a table.
    fn scan<'a>(
        &'a self,
        after: Option<&'a [Cell<'a>]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>>;

    /// Number of rows.
    fn count(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Succeeds when exactly the known migrations are applied.
    ///
    /// # Errors
    /// [`StoreError::Schema`] with the remedy: run the migrations, or use a newer program.
    fn check_schema(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Applies the migrations that are missing.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when the server has migrations that this program does not know, or a known one
    /// with other contents.
    fn migrate(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Answers when the store can be used.
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// How busy the server is. The default: nothing is known, as of an embedded store.
    ///
    /// # Errors
    /// When the server itself cannot be asked; a replica that cannot be says nothing.
    fn load(&self) -> BoxFuture<'_, Result<ServerLoad, StoreError>> {
        Box::pin(std::future::ready(Ok(ServerLoad::default())))
    }
}
