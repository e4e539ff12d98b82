//! What is put to the test.

use std::sync::Arc;

use sqlx::migrate::Migrator;

use crate::store::row::{ColumnType::*, Table};
use crate::store::{Rows, StoreError};
use crate::topology::BoxFuture;

/// What a statement may be: small bounds force splitting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// Rows at most.
    pub rows: usize,
    /// Bytes at most.
    pub bytes: usize,
}

impl Default for Statement {
    /// 500 rows, 1 MiB.
    fn default() -> Self {
        Self { rows: 500, bytes: 1 << 20 }
    }
}

/// A kind of rows under test.
pub trait Subject: Send {
    /// Forgets the last database and makes an empty one, without any table.
    fn fresh(&mut self) -> BoxFuture<'_, ()>;

    /// Opens the database for [`table`] with these migrations.
    fn open(
        &mut self,
        statement: Statement,
        migrations: Migrator,
    ) -> BoxFuture<'_, Result<Arc<dyn Rows>, StoreError>>;

    /// The migrations of the suite for this kind of server.
    fn migrations(&self) -> Migrator;

    /// Restarts what keeps the database, where that can be done; the caller has dropped every store of it.
    fn restart(&mut self) -> BoxFuture<'_, ()>;
}

/// The table of the suite.
pub fn table() -> Table {
    Table::new("conformance")
        .key("user_id", Text(64))
        .key("event_id", Text(64))
        .version("occurred_at", Int)
        .version("tie", Text(64))
        .value("note", Text(256))
        .value("amount", Int)
        .value("body", Bytes(70_000))
        .index("conformance_recent", &["user_id"], &["occurred_at", "tie", "event_id"])
        .index("conformance_newest", &["user_id", "amount"], &["occurred_at", "tie", "event_id"])
}

/// Creates [`table`] on MySQL and MariaDB.
pub fn mysql_migrations() -> Migrator {
    sqlx::migrate!("src/testing/store/migrations/mysql")
}

/// Creates [`table`] in SQLite.
pub fn sqlite_migrations() -> Migrator {
    sqlx::migrate!("src/testing/store/migrations/sqlite")
}
