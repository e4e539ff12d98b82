//! The migrations, compiled into the binary.

use sqlx::migrate::Migrator;

/// Creates the table in MySQL 8 or MariaDB.
pub fn migrator_mysql() -> Migrator {
    sqlx::migrate!("./migrations/mysql")
}

/// Creates the table in SQLite.
pub fn migrator_sqlite() -> Migrator {
    sqlx::migrate!("./migrations/sqlite")
}
