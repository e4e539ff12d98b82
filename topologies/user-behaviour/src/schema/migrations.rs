//! The migrations, compiled into the binary.

use sqlx::migrate::Migrator;

static MYSQL: Migrator = sqlx::migrate!("./migrations/mysql");
static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");

/// Creates the table in MySQL 8 or MariaDB.
pub fn migrator_mysql() -> &'static Migrator {
    &MYSQL
}

/// Creates the table in SQLite.
pub fn migrator_sqlite() -> &'static Migrator {
    &SQLITE
}
