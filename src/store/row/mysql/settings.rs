//! How to reach the server.

use std::fmt;
use std::time::Duration;

use sqlx::mysql::MySqlPoolOptions;
use sqlx::{AssertSqlSafe, Executor};

/// Where the server is, and the bounds of talking to it.
#[derive(Clone, PartialEq, Eq)]
pub struct MySqlSettings {
    /// `mysql://user[:password]@host[:port]/database`. May hold a password: never shown.
    pub url: String,
    /// Replicas whose lag is asked for, as URLs like `url`; only [`Rows::load`](crate::store::row::Rows::load) uses them.
    pub replicas: Vec<String>,
    /// Connections at most; one more, and one to each replica, for asking how busy the server is.
    pub pool_size: u32,
    /// Bound of waiting for a connection, opening one included.
    pub acquire_timeout: Duration,
    /// Bound of every statement; of a transaction, per statement.
    pub statement_timeout: Duration,
    /// Bound of applying all migrations, waiting for another program that applies them included.
    pub migrate_timeout: Duration,
    /// For how long the server lets a statement wait for a row that another transaction holds; whole seconds.
    pub lock_wait_timeout: Duration,
    /// Age at which a connection is replaced.
    pub max_lifetime: Duration,
    /// Idle time after which a connection is closed.
    pub idle_timeout: Duration,
    /// Rows of one statement at most.
    pub batch_rows: usize,
    /// Bytes of one statement at most; the server's `max_allowed_packet` bounds it as well.
    pub batch_bytes: usize,
}

impl MySqlSettings {
    /// No replicas, 8 connections, 5 s to get one, 10 s a statement, 10 min to migrate, 3 s for a lock; 30 min of life, 10 min
    /// idle; statements of 512 rows and 4 MiB.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            replicas: Vec::new(),
            pool_size: 8,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            migrate_timeout: Duration::from_secs(600),
            lock_wait_timeout: Duration::from_secs(3),
            max_lifetime: Duration::from_secs(1800),
            idle_timeout: Duration::from_secs(600),
            batch_rows: 512,
            batch_bytes: 4 << 20,
        }
    }

    /// A pool of connections, each with the session that the store relies on.
    pub(super) fn pool_options(&self) -> MySqlPoolOptions {
        let lock_wait = self.lock_wait_timeout.as_secs().max(1);
        MySqlPoolOptions::new()
            .max_connections(self.pool_size.max(1))
            .acquire_timeout(self.acquire_timeout)
            .max_lifetime(self.max_lifetime)
            .idle_timeout(self.idle_timeout)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    connection
                        .execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'")
                        .await?;
                    connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
                    let wait = AssertSqlSafe(format!("SET SESSION innodb_lock_wait_timeout = {lock_wait}"));
                    connection.execute(wait).await.map(drop)
                })
            })
    }
}

impl fmt::Debug for MySqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlSettings")
            .field("replicas", &self.replicas.len())
            .field("pool_size", &self.pool_size)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("migrate_timeout", &self.migrate_timeout)
            .field("lock_wait_timeout", &self.lock_wait_timeout)
            .field("max_lifetime", &self.max_lifetime)
            .field("idle_timeout", &self.idle_timeout)
            .field("batch_rows", &self.batch_rows)
            .field("batch_bytes", &self.batch_bytes)
            .finish_non_exhaustive()
    }
}
