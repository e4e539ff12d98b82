//! The conformance suite.

use std::sync::Arc;

use sqlx::migrate::Migrator;
use tempfile::TempDir;

use super::super::super::Rows;
use super::super::{SqliteRows, SqliteSettings};
use crate::store::StoreError;
use crate::testing::store::row::{Statement, Subject, run_all, sqlite_migrations, table};
use crate::topology::BoxFuture;

struct Sqlite(TempDir);

impl Subject for Sqlite {
    fn fresh(&mut self) -> BoxFuture<'_, ()> {
        self.0 = tempfile::tempdir().unwrap();
        Box::pin(std::future::ready(()))
    }

    fn open(
        &mut self,
        statement: Statement,
        migrations: Migrator,
    ) -> BoxFuture<'_, Result<Arc<dyn Rows>, StoreError>> {
        Box::pin(async move {
            let Statement { rows, bytes } = statement;
            let settings = SqliteSettings { batch_rows: rows, batch_bytes: bytes, ..SqliteSettings::default() };
            let path = self.0.path().join("rows.sqlite");
            let store = SqliteRows::open(&path, settings, table(), migrations).await?;
            Ok(Arc::new(store) as Arc<dyn Rows>)
        })
    }

    fn migrations(&self) -> Migrator {
        sqlite_migrations()
    }

    fn restart(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms() {
    run_all(&mut Sqlite(tempfile::tempdir().unwrap())).await;
}
