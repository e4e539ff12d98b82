//! Rows whose server may be away at the start.

use tokio::sync::OnceCell;

use super::{Cell, Newest, Rows, ServerLoad, Table, Value};
use crate::store::StoreError;
use crate::topology::{BoxFuture, Class, Classify};

/// A store that has its migrations applied before the first write, whenever that succeeds.
///
/// For programs that must start while the server is down: reading and asking go straight to the store, and a write
/// brings its schema up to date first. Until then writes fail like any other call of a server that is away.
pub struct LateRows<R> {
    inner: R,
    migrated: OnceCell<()>,
}

impl<R: Rows> LateRows<R> {
    /// Applies the migrations now if the server answers.
    ///
    /// # Errors
    /// Those of [`Rows::migrate`] that waiting cannot mend: a schema that this program does not know.
    pub async fn open(inner: R) -> Result<Self, StoreError> {
        let late = Self { inner, migrated: OnceCell::new() };
        match late.ready().await {
            Err(error) if error.class() == Class::Retryable => {
                tracing::warn!(%error, "the rows are away; their schema is checked when they are back");
            }
            result => result?,
        }
        Ok(late)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.migrated.get_or_try_init(|| self.inner.migrate()).await.copied()
    }
}

impl<R: Rows> Rows for LateRows<R> {
    fn table(&self) -> &Table {
        self.inner.table()
    }

    fn upsert<'a>(&'a self, cells: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>> {
        Box::pin(async move {
            self.ready().await?;
            self.inner.upsert(cells).await
        })
    }

    fn find<'a>(&'a self, key: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Option<Vec<Value>>, StoreError>> {
        self.inner.find(key)
    }

    fn find_many<'a>(
        &'a self,
        keys: &'a [Cell<'a>],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<Value>>>, StoreError>> {
        self.inner.find_many(keys)
    }

    fn newest<'a>(&'a self, page: &'a Newest<'a>) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>> {
        self.inner.newest(page)
    }

    fn scan<'a>(
        &'a self,
        after: Option<&'a [Cell<'a>]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>> {
        self.inner.scan(after, limit)
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.count()
    }

    fn check_schema(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.check_schema()
    }

    fn migrate(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.ready())
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.ping()
    }

    fn load(&self) -> BoxFuture<'_, Result<ServerLoad, StoreError>> {
        self.inner.load()
    }
}
