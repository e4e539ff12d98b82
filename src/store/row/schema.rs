//! Migrations: what is applied against what is known.

use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migrator};

use crate::store::StoreError;

/// Why a schema is not the expected one.
pub(super) enum Mismatch {
    /// The reason, with the remedy.
    Schema(String),
    /// The server did not say.
    Failed(sqlx::Error),
}

/// Applies what is missing, or only compares. After an error the connection may hold the lock of the migrations: close
/// it.
pub(super) async fn run<C: Migrate>(connection: &mut C, known: &Migrator, apply: bool) -> Result<(), Mismatch> {
    if apply {
        known.run_direct(None, connection, false).await.map_err(mismatch)
    } else {
        check(connection, known).await
    }
}

async fn check<C: Migrate>(connection: &mut C, known: &Migrator) -> Result<(), Mismatch> {
    let table = &*known.table_name;
    if let Some(version) = connection.dirty_version(table).await.map_err(mismatch)? {
        return Err(mismatch(MigrateError::Dirty(version)));
    }
    let applied = connection.list_applied_migrations(table).await.map_err(mismatch)?;
    validate(&applied, known)?;
    let missing = up(known).find(|migration| applied.iter().all(|applied| applied.version != migration.version));
    match missing {
        Some(migration) => {
            let (version, name) = (migration.version, &migration.description);
            Err(Mismatch::Schema(format!("migration {version} ({name}) is not applied; run the migrations")))
        }
        None => Ok(()),
    }
}

fn validate(applied: &[AppliedMigration], known: &Migrator) -> Result<(), Mismatch> {
    for applied in applied {
        match up(known).find(|migration| migration.version == applied.version) {
            None => return Err(mismatch(MigrateError::VersionMissing(applied.version))),
            Some(migration) if migration.checksum != applied.checksum => {
                return Err(mismatch(MigrateError::VersionMismatch(applied.version)));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn up(known: &Migrator) -> impl Iterator<Item = &sqlx::migrate::Migration> {
    known.iter().filter(|migration| !migration.migration_type.is_down_migration())
}

fn mismatch(error: MigrateError) -> Mismatch {
    Mismatch::Schema(match error {
        MigrateError::Execute(error) => return Mismatch::Failed(error),
        MigrateError::ExecuteMigration(error, version) => {
            format!(
                "migration {version} failed: {error}; repair the schema by hand, then run the migrations again"
            )
        }
        MigrateError::VersionMissing(version) => {
            format!("migration {version} is applied and not known to this program; use a newer program")
        }
        MigrateError::VersionMismatch(version) => {
            format!(
                "migration {version} was applied with other contents than this program's; use the program that it \
                 belongs to, or put its file back as it was"
            )
        }
        MigrateError::Dirty(version) => {
            format!("migration {version} was applied in part; repair the schema and remove its row by hand")
        }
        other => other.to_string(),
    })
}

/// The error of a store whose map of the server's errors is `classify`. A table of migrations that is missing means
/// that none is applied.
pub(super) fn error(
    store: &'static str,
    mismatch: Mismatch,
    classify: impl FnOnce(sqlx::Error) -> StoreError,
) -> StoreError {
    match mismatch {
        Mismatch::Schema(reason) => StoreError::Schema { store, reason },
        Mismatch::Failed(error) => match classify(error) {
            StoreError::Schema { reason, .. } => StoreError::Schema {
                store,
                reason: format!("no migrations are applied ({reason}); run the migrations"),
            },
            other => other,
        },
    }
}
