//! Bounds of working with the file.

use std::time::Duration;

/// Bounds of working with an SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteSettings {
    /// Connections that read.
    pub readers: u32,
    /// Bound of waiting for a connection: a write waits for the one before it.
    pub acquire_timeout: Duration,
    /// Bound of every statement; of a transaction, per statement.
    pub statement_timeout: Duration,
    /// Bound of applying all migrations.
    pub migrate_timeout: Duration,
    /// For how long a statement waits for the lock of another process.
    pub busy_timeout: Duration,
    /// Pages of the file that each connection keeps in memory, in KiB.
    pub cache_kib: u32,
    /// Pages that are written to the log before they are moved into the file: more saves work on pages that are
    /// written again and again, and takes that much more disk.
    pub checkpoint_pages: u32,
    /// Rows of one statement at most.
    pub batch_rows: usize,
    /// Bytes of one statement at most.
    pub batch_bytes: usize,
}

impl Default for SqliteSettings {
    /// 2 readers, 10 s to get a connection, 10 s a statement, 10 min to migrate, 5 s for another process; 32 MiB of
    /// cache, 8192 pages of log (32 MiB); statements of 512 rows and 4 MiB.
    fn default() -> Self {
        Self {
            readers: 2,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(10),
            migrate_timeout: Duration::from_secs(600),
            busy_timeout: Duration::from_secs(5),
            cache_kib: 32 << 10,
            checkpoint_pages: 8192,
            batch_rows: 512,
            batch_bytes: 4 << 20,
        }
    }
}
