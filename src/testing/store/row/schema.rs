//! Migrations that are missing, unknown or altered.

use std::sync::Arc;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::rows::{put, record};
use super::{Statement, Subject};
use crate::store::{Rows, StoreError};

/// A store is used only with exactly the known migrations.
///
/// # Panics
/// When another schema is accepted, or an error does not say what to do.
pub async fn check_migrations(subject: &mut dyn Subject) {
    subject.fresh().await;
    let known: Vec<Migration> = subject.migrations().iter().cloned().collect();
    let next = Migration::new(
        9000,
        "next".into(),
        MigrationType::Simple,
        "CREATE TABLE conformance_next (id BIGINT PRIMARY KEY)".into_sql_str(),
        false,
    );
    let mut altered = known.clone();
    altered[0].checksum = vec![7; 48].into();
    let more = [&known[..], &[next]].concat();

    let store = open(subject, known.clone()).await;
    refused(&store, "run the migrations").await;
    store.migrate().await.expect("an empty database is migrated");
    store.check_schema().await.expect("all migrations are applied");
    store.migrate().await.expect("migrating twice changes nothing");
    put(&store, &[record("u", "e", 1, "")]).await;

    refused(&open(subject, altered.clone()).await, "with other contents").await;
    let error = open(subject, altered).await.migrate().await.expect_err("an altered migration is refused");
    assert!(
        matches!(&error, StoreError::Schema { reason, .. } if reason.contains("with other contents")),
        "{error}"
    );

    let newer = open(subject, more).await;
    refused(&newer, "run the migrations").await;
    newer.migrate().await.expect("the next migration is applied");
    newer.check_schema().await.expect("all migrations are applied");

    refused(&open(subject, known.clone()).await, "use a newer program").await;
    let error = open(subject, known).await.migrate().await.expect_err("an unknown migration is refused");
    assert!(
        matches!(&error, StoreError::Schema { reason, .. } if reason.contains("use a newer program")),
        "{error}"
    );
    assert_eq!(newer.count().await.expect("rows are counted"), 1, "the rows are left alone");
}

async fn open(subject: &mut dyn Subject, migrations: Vec<Migration>) -> Arc<dyn Rows> {
    let migrations = Migrator::with_migrations(migrations);
    subject.open(Statement::default(), migrations).await.expect("a store opens")
}

async fn refused(store: &Arc<dyn Rows>, remedy: &str) {
    let error = store.check_schema().await.expect_err("another schema is refused");
    assert!(matches!(&error, StoreError::Schema { reason, .. } if reason.contains(remedy)), "{error}");
}
