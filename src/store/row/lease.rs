//! A pooled connection that returns to its pool only when its last call ended well.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};

use crate::store::StoreError;

/// How a call ended that was not answered.
pub(super) enum Ended {
    /// It took longer than this.
    Timeout(&'static str, Duration),
    Failed(sqlx::Error),
}

/// Whoever drops it without [`finish`](Lease::finish) closes the connection: a call that was given up may still run
/// on it, and its answer must not become the next call's.
pub(super) struct Lease<DB: Database>(Option<PoolConnection<DB>>);

impl<DB: Database> Lease<DB> {
    /// Waits for a connection as long as the pool allows.
    pub(super) async fn acquire(pool: &Pool<DB>) -> Result<Self, Ended> {
        match pool.acquire().await {
            Ok(connection) => Ok(Self(Some(connection))),
            Err(sqlx::Error::PoolTimedOut) => {
                Err(Ended::Timeout("waiting for a connection", pool.options().get_acquire_timeout()))
            }
            Err(error) => Err(Ended::Failed(error)),
        }
    }

    pub(super) fn connection(&mut self) -> &mut DB::Connection {
        self.0.as_mut().expect("taken only by the drop")
    }

    /// Gives the connection back after an answer, be it the server's refusal; closes it otherwise.
    pub(super) fn finish<T>(mut self, result: Result<T, Ended>) -> Result<T, Ended> {
        if matches!(result, Ok(_) | Err(Ended::Failed(sqlx::Error::Database(_) | sqlx::Error::RowNotFound))) {
            drop(self.0.take());
        }
        result
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

/// Waits for `call`, at most `bound`.
pub(super) async fn within<T, E: Into<sqlx::Error>>(
    what: &'static str,
    bound: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, Ended> {
    match tokio::time::timeout(bound, call).await {
        Ok(result) => result.map_err(|error| Ended::Failed(error.into())),
        Err(_) => Err(Ended::Timeout(what, bound)),
    }
}

/// The error of a call that took too long.
pub(super) fn timed_out(store: &'static str, what: &'static str, bound: Duration) -> StoreError {
    StoreError::Timeout { store, what, after_ms: u64::try_from(bound.as_millis()).unwrap_or(u64::MAX) }
}
