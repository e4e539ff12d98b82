//! One program at a time migrates.

use std::time::Duration;

use sqlx::{AssertSqlSafe, MySqlConnection};

/// The lock that workers which start together take before they migrate. sqlx takes one of its own without a time limit,
/// which MariaDB does not grant (it takes a negative limit for none at all), so that two would migrate at once.
const NAME: &str = "CONCAT('squall:', LEFT(SHA1(DATABASE()), 40))";

pub(super) async fn lock(connection: &mut MySqlConnection, bound: Duration) -> Result<(), sqlx::Error> {
    let query = format!("SELECT GET_LOCK({NAME}, ?)");
    let granted: Option<i64> =
        sqlx::query_scalar(AssertSqlSafe(query)).bind(bound.as_secs().max(1)).fetch_one(connection).await?;
    match granted {
        Some(1) => Ok(()),
        _ => Err(sqlx::Error::PoolTimedOut),
    }
}

pub(super) async fn unlock(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let query = format!("SELECT RELEASE_LOCK({NAME})");
    let _released: Option<i64> = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(connection).await?;
    Ok(())
}
