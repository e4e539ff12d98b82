//! How busy the server is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlRow};
use sqlx::{Row, SqlSafeStr};

use super::super::lease::{Ended, Lease, within};
use super::MySqlSettings;

/// A connection of its own to one server: the pool of the writers has none to spare when it matters.
pub(super) struct Monitor {
    pool: MySqlPool,
    bound: Duration,
    address: String,
    /// Whether it has been told that it cannot be read.
    told: AtomicBool,
}

impl Monitor {
    pub(super) fn new(options: MySqlConnectOptions, settings: &MySqlSettings) -> Self {
        let address = format!("{}:{}", options.get_host(), options.get_port());
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .min_connections(0)
            .acquire_timeout(settings.acquire_timeout)
            .idle_timeout(settings.idle_timeout)
            .max_lifetime(settings.max_lifetime)
            .connect_lazy_with(options);
        Self { pool, bound: settings.statement_timeout, address, told: AtomicBool::new(false) }
    }

    /// Threads that are not waiting for their client, this question's own included.
    pub(super) async fn threads_running(&self) -> Result<Option<u64>, Ended> {
        let row = self.ask("asking for the running threads", "SHOW GLOBAL STATUS LIKE 'Threads_running'").await?;
        let text = row.map(|row| row.try_get::<String, _>(1)).transpose().map_err(Ended::Failed)?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// How far this replica is behind; `None` when it is none, does not replicate, or cannot be asked, which is told once.
    pub(super) async fn replication_lag(&self) -> Option<Duration> {
        let lag = match self.ask("asking for the replication lag", "SHOW REPLICA STATUS").await {
            Ok(row) => row.and_then(|row| lag_of(&row)).ok_or_else(|| "it says no lag".to_owned()),
            Err(Ended::Timeout(what, bound)) => Err(format!("{what} took longer than {} ms", bound.as_millis())),
            Err(Ended::Failed(error)) => Err(error.to_string()),
        };
        match lag {
            Ok(lag) => {
                self.told.store(false, Ordering::Relaxed);
                Some(lag)
            }
            Err(reason) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(replica = self.address, reason, "the replication lag cannot be read");
                }
                None
            }
        }
    }

    /// The first row of the answer.
    async fn ask(&self, what: &'static str, sql: impl SqlSafeStr) -> Result<Option<MySqlRow>, Ended> {
        let mut lease = Lease::acquire(&self.pool).await?;
        let answer = within(what, self.bound, sqlx::query(sql).fetch_optional(lease.connection())).await;
        lease.finish(answer)
    }
}

/// MySQL calls the column after the source, MariaDB after the master. Null while replication stands still.
fn lag_of(row: &MySqlRow) -> Option<Duration> {
    let column = ["Seconds_Behind_Source", "Seconds_Behind_Master"]
        .into_iter()
        .find_map(|name| row.try_get_unchecked::<Option<i64>, _>(name).ok())?;
    column.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
}
