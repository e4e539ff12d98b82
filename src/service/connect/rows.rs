//! `[rows]`

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use sqlx::migrate::Migrator;

use super::{set, set_ms};
use crate::service::config::Secret;
use crate::store::StoreError;
use crate::store::row::mysql::{MySqlRows, MySqlSettings};
use crate::store::row::sqlite::{SqliteRows, SqliteSettings};
use crate::store::row::{LateRows, Rows, Table};

/// Which store of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowsKind {
    /// A file under the data directory.
    #[default]
    Sqlite,
    /// MySQL or MariaDB.
    Mysql,
}

/// The store of rows.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RowsConfig {
    /// Which one.
    pub kind: RowsKind,
    /// Name of the table, if it is not to be the topology's own: for two versions side by side.
    pub table: Option<String>,
    /// Settings of SQLite.
    pub sqlite: SqliteConfig,
    /// Settings of MySQL.
    pub mysql: MySqlConfig,
}

/// `[rows.sqlite]`; see [`SqliteSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct SqliteConfig {
    pub readers: Option<u32>,
    pub acquire_timeout_ms: Option<u64>,
    pub statement_timeout_ms: Option<u64>,
    pub migrate_timeout_ms: Option<u64>,
    pub busy_timeout_ms: Option<u64>,
    pub cache_kib: Option<u32>,
    pub checkpoint_pages: Option<u32>,
    pub batch_rows: Option<usize>,
    pub batch_bytes: Option<usize>,
}

/// `[rows.mysql]`; see [`MySqlSettings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is described at the settings it overrides")]
pub struct MySqlConfig {
    pub url: Secret,
    pub replicas: Vec<Secret>,
    pub pool_size: Option<u32>,
    pub acquire_timeout_ms: Option<u64>,
    pub statement_timeout_ms: Option<u64>,
    pub migrate_timeout_ms: Option<u64>,
    pub lock_wait_timeout_ms: Option<u64>,
    pub max_lifetime_ms: Option<u64>,
    pub idle_timeout_ms: Option<u64>,
    pub batch_rows: Option<usize>,
    pub batch_bytes: Option<usize>,
}

impl RowsConfig {
    /// Opens the store with the migrations of its kind; SQLite at `data_dir/store.sqlite`.
    ///
    /// # Errors
    /// What the store says: unreachable, refused, damaged.
    pub async fn open(
        &self,
        data_dir: &Path,
        table: Table,
        mysql: Migrator,
        sqlite: Migrator,
    ) -> Result<Arc<dyn Rows>, StoreError> {
        match self.kind {
            RowsKind::Sqlite => {
                let path = data_dir.join("store.sqlite");
                Ok(Arc::new(SqliteRows::open(&path, self.sqlite.settings(), table, sqlite).await?))
            }
            RowsKind::Mysql => Ok(Arc::new(MySqlRows::connect(self.mysql.settings(), table, mysql).await?)),
        }
    }
}

impl RowsConfig {
    /// Opens the store and applies its migrations. A server that is away is connected to with the first write that finds
    /// it, and migrated then: a worker must be able to start while it is down.
    ///
    /// # Errors
    /// What waiting cannot mend: settings that cannot work, a schema that this program does not know, a damaged file.
    pub async fn open_patiently(
        &self,
        data_dir: &Path,
        table: Table,
        mysql: Migrator,
        sqlite: Migrator,
    ) -> Result<Arc<dyn Rows>, StoreError> {
        match self.kind {
            RowsKind::Sqlite => {
                let store = self.open(data_dir, table, mysql, sqlite).await?;
                store.migrate().await?;
                Ok(store)
            }
            RowsKind::Mysql => {
                let store = MySqlRows::lazy(self.mysql.settings(), table, mysql)?;
                Ok(Arc::new(LateRows::open(store).await?))
            }
        }
    }
}

impl SqliteConfig {
    fn settings(&self) -> SqliteSettings {
        let mut settings = SqliteSettings::default();
        set(&mut settings.readers, self.readers);
        set_ms(&mut settings.acquire_timeout, self.acquire_timeout_ms);
        set_ms(&mut settings.statement_timeout, self.statement_timeout_ms);
        set_ms(&mut settings.migrate_timeout, self.migrate_timeout_ms);
        set_ms(&mut settings.busy_timeout, self.busy_timeout_ms);
        set(&mut settings.cache_kib, self.cache_kib);
        set(&mut settings.checkpoint_pages, self.checkpoint_pages);
        set(&mut settings.batch_rows, self.batch_rows);
        set(&mut settings.batch_bytes, self.batch_bytes);
        settings
    }
}

impl MySqlConfig {
    fn settings(&self) -> MySqlSettings {
        let mut settings = MySqlSettings::new(self.url.expose());
        settings.replicas = self.replicas.iter().map(|url| url.expose().to_owned()).collect();
        set(&mut settings.pool_size, self.pool_size);
        set_ms(&mut settings.acquire_timeout, self.acquire_timeout_ms);
        set_ms(&mut settings.statement_timeout, self.statement_timeout_ms);
        set_ms(&mut settings.migrate_timeout, self.migrate_timeout_ms);
        set_ms(&mut settings.lock_wait_timeout, self.lock_wait_timeout_ms);
        set_ms(&mut settings.max_lifetime, self.max_lifetime_ms);
        set_ms(&mut settings.idle_timeout, self.idle_timeout_ms);
        set(&mut settings.batch_rows, self.batch_rows);
        set(&mut settings.batch_bytes, self.batch_bytes);
        settings
    }
}
