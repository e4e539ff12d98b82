//! The migrations, compiled into the binary.

use sqlx::migrate::{Migration, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::TABLE;

/// Creates the table in MySQL 8 or MariaDB.
pub fn migrator_mysql() -> Migrator {
    sqlx::migrate!("./migrations/mysql")
}

/// Creates the table in SQLite.
pub fn migrator_sqlite() -> Migrator {
    sqlx::migrate!("./migrations/sqlite")
}

/// The same for a table of another name, beside the others of the database: what was applied to it is kept in
/// `_sqlx_migrations_<table>`. The name is part of statements and must be checked before.
pub fn renamed(migrator: Migrator, table: &str) -> Migrator {
    if table == TABLE {
        return migrator;
    }
    let rename = |known: &Migration| {
        let sql = AssertSqlSafe(known.sql.as_str().replace(TABLE, table)).into_sql_str();
        Migration::new(known.version, known.description.clone(), known.migration_type, sql, known.no_tx)
    };
    let mut renamed = Migrator::with_migrations(migrator.iter().map(rename).collect());
    renamed.dangerous_set_table_name(format!("_sqlx_migrations_{table}"));
    renamed
}
