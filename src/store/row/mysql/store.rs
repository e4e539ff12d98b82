//! The store itself.

use std::fmt;
use std::str::FromStr;

use sqlx::migrate::Migrator;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlPool};
use sqlx::{ConnectOptions, Connection, MySql};
use tokio::time::timeout;

use super::super::batch::{Row, check_key, padded, split};
use super::super::lease::{Ended, Lease, timed_out, within};
use super::super::lookup::{KEYS, answer, keys};
use super::super::sql::Dialect;
use super::super::statements::{Sql, Statements};
use super::super::upsert::{Bounds, Pieces, upsert};
use super::super::{Cell, Newest, Rows, ServerLoad, Table, Value, schema};
use super::error::{STORE, classify, wants_new_connection};
use super::load::Monitor;
use super::migrations;
use super::packet::Packet;
use super::settings::MySqlSettings;
use super::values::{arguments, bind, read};
use crate::store::StoreError;
use crate::topology::BoxFuture;

/// What a statement takes besides its rows.
const OVERHEAD: usize = 4096;
/// Places of a statement, by the protocol.
const PLACES: usize = 65_535;

/// Rows of one table on a MySQL or MariaDB server.
pub struct MySqlRows {
    pool: MySqlPool,
    settings: MySqlSettings,
    address: String,
    statements: Statements,
    migrator: Migrator,
    packet: Packet,
    monitor: Monitor,
    replicas: Vec<Monitor>,
}

impl MySqlRows {
    /// Connects once, to fail early. Neither creates nor checks the table: see [`Rows::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Config`] when the settings cannot work; those of a call.
    pub async fn connect(settings: MySqlSettings, table: Table, migrator: Migrator) -> Result<Self, StoreError> {
        let store = Self::lazy(settings, table, migrator)?;
        store.reach().await?;
        store.bounds().await?;
        Ok(store)
    }

    /// Connects with the first call: for programs that must start while the server is down.
    ///
    /// # Errors
    /// [`StoreError::Config`] when the settings cannot work.
    pub fn lazy(settings: MySqlSettings, table: Table, migrator: Migrator) -> Result<Self, StoreError> {
        if table.keys().is_empty() {
            return Err(config(format!("table `{}` has no key", table.name())));
        }
        // The client's own text would repeat the URL.
        let invalid =
            |_| config("the URL is not valid, expected mysql://user[:password]@host[:port]/database".into());
        let parse =
            |url: &String| MySqlConnectOptions::from_str(url).map(ConnectOptions::disable_statement_logging);
        let options = parse(&settings.url).map_err(invalid)?;
        let monitor = Monitor::new(options.clone(), &settings);
        let replicas: Vec<MySqlConnectOptions> =
            settings.replicas.iter().map(parse).collect::<Result<_, _>>().map_err(invalid)?;
        let replicas = replicas.into_iter().map(|replica| Monitor::new(replica, &settings)).collect();
        let address = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let options = options
            .charset("utf8mb4")
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .statement_cache_capacity(64);
        let pool = settings.pool_options().connect_lazy_with(options);
        let statements = Statements::new(Dialect::MySql, table);
        let packet = Packet::default();
        Ok(Self { pool, settings, address, statements, migrator, packet, monitor, replicas })
    }

    /// Connects past the pool, which would try a refused connection again until its timeout and not say why.
    async fn reach(&self) -> Result<(), StoreError> {
        let options = self.pool.connect_options();
        let connecting = MySqlConnection::connect_with(&options);
        let connected = within("connecting", self.settings.acquire_timeout, connecting).await;
        let connection = connected.map_err(|ended| self.error(ended))?;
        within("closing", self.settings.acquire_timeout, connection.close())
            .await
            .map_err(|ended| self.error(ended))
    }

    async fn lease(&self) -> Result<Lease<MySql>, StoreError> {
        Lease::acquire(&self.pool).await.map_err(|ended| self.error(ended))
    }

    /// Gives the connection back, unless it has to go, and maps the error.
    fn finish<T>(&self, lease: Lease<MySql>, result: Result<T, Ended>) -> Result<T, StoreError> {
        let result = match result {
            Err(Ended::Failed(error)) if wants_new_connection(&error) => Err(Ended::Failed(error)),
            result => lease.finish(result),
        };
        result.map_err(|ended| self.error(ended))
    }

    fn error(&self, ended: Ended) -> StoreError {
        match ended {
            Ended::Timeout(what, bound) => timed_out(STORE, what, bound),
            Ended::Failed(error) => classify(error, &self.address),
        }
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        let packet = match self.packet.known() {
            Some(packet) => packet,
            None => self.packet.learn(self.read_packet().await?),
        };
        let row_bytes = packet.saturating_sub(OVERHEAD);
        // Filling up to a known number of rows may add a quarter.
        let rows = self.settings.batch_rows.min(PLACES / self.table().width() * 4 / 5);
        let bytes = self.settings.batch_bytes.min(row_bytes / 5 * 4);
        Ok(Bounds { rows: rows.max(1), bytes, row_bytes })
    }

    async fn read_packet(&self) -> Result<usize, StoreError> {
        let mut lease = self.lease().await?;
        let query = sqlx::query_scalar("SELECT CAST(@@max_allowed_packet AS SIGNED)");
        let answer = self.within("asking for the packet size", query.fetch_one(lease.connection())).await;
        let packet: i64 = self.finish(lease, answer)?;
        Ok(usize::try_from(packet).unwrap_or(0))
    }

    async fn within<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Ended> {
        within(what, self.settings.statement_timeout, call).await
    }

    async fn run(&self, connection: &mut MySqlConnection, piece: &[Row<'_>]) -> Result<(), Ended> {
        let bound = arguments(piece).map_err(Ended::Failed)?;
        let query = sqlx::query_with(self.statements.upsert(padded(piece.len())), bound);
        self.within("writing rows", query.execute(connection)).await.map(drop)
    }

    /// All pieces or none: a server may have rolled back the transaction, or only its last statement.
    async fn run_all(&self, connection: &mut MySqlConnection, pieces: &[&[Row<'_>]]) -> Result<(), Ended> {
        if let [piece] = pieces {
            return self.run(connection, piece).await;
        }
        let mut transaction = self.within("beginning a transaction", connection.begin()).await?;
        for piece in pieces {
            if let Err(ended) = self.run(&mut transaction, piece).await {
                self.within("rolling back", transaction.rollback()).await?;
                return Err(ended);
            }
        }
        self.within("committing", transaction.commit()).await
    }

    async fn select_one(&self, key: &[Cell<'_>]) -> Result<Option<Vec<Value>>, StoreError> {
        check_key(STORE, self.table(), key)?;
        let arguments = self.bound(key)?;
        let mut lease = self.lease().await?;
        let query = sqlx::query_with(self.statements.find(), arguments);
        let found = self.within("finding a row", query.fetch_optional(lease.connection())).await;
        let row = self.finish(lease, found)?;
        row.map(|row| self.read(&row)).transpose()
    }

    async fn select_many(&self, cells: &[Cell<'_>]) -> Result<Vec<Option<Vec<Value>>>, StoreError> {
        let (keys, bounds) = (keys(STORE, self.table(), cells)?, self.bounds().await?);
        let mut answers = vec![None; cells.len() / self.table().keys().len()];
        for piece in split(&keys, bounds.rows.min(KEYS), bounds.bytes) {
            let arguments = arguments(piece).map_err(|error| self.error(Ended::Failed(error)))?;
            let mut lease = self.lease().await?;
            let query = sqlx::query_with(self.statements.find_many(padded(piece.len())), arguments);
            let found = self.within("finding rows", query.fetch_all(lease.connection())).await;
            for row in self.finish(lease, found)? {
                answer(piece, self.read(&row)?, &mut answers);
            }
        }
        Ok(answers)
    }

    async fn select(&self, after: Option<&[Cell<'_>]>, limit: usize) -> Result<Vec<Vec<Value>>, StoreError> {
        let mut cells = Vec::new();
        if let Some(key) = after {
            check_key(STORE, self.table(), key)?;
            cells.extend(self.statements.scan_bindings().into_iter().map(|at| key[at]));
        }
        cells.push(Cell::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
        self.fetch("scanning rows", self.statements.scan(after.is_some()), &cells).await
    }

    async fn select_newest(&self, page: &Newest<'_>) -> Result<Vec<Vec<Value>>, StoreError> {
        let (sql, cells) = self.statements.newest(STORE, page)?;
        self.fetch("reading the newest rows", sql, &cells).await
    }

    async fn fetch(
        &self,
        what: &'static str,
        sql: Sql,
        cells: &[Cell<'_>],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let arguments = self.bound(cells)?;
        let mut lease = self.lease().await?;
        let query = sqlx::query_with(sql, arguments);
        let found = self.within(what, query.fetch_all(lease.connection())).await;
        let rows = self.finish(lease, found)?;
        rows.iter().map(|row| self.read(row)).collect()
    }

    fn bound(&self, cells: &[Cell<'_>]) -> Result<MySqlArguments, StoreError> {
        let mut arguments = MySqlArguments::default();
        let bound = cells.iter().try_for_each(|cell| bind(&mut arguments, cell));
        bound.map(|()| arguments).map_err(|error| classify(error, &self.address))
    }

    fn read(&self, row: &sqlx::mysql::MySqlRow) -> Result<Vec<Value>, StoreError> {
        read(row, self.table().columns()).map_err(|error| classify(error, &self.address))
    }

    async fn schema(&self, apply: bool) -> Result<(), StoreError> {
        let mut lease = self.lease().await?;
        let (what, bound) = match apply {
            true => ("applying migrations", self.settings.migrate_timeout),
            false => ("checking the schema", self.settings.statement_timeout),
        };
        let run = async {
            if apply {
                migrations::lock(lease.connection(), bound).await.map_err(schema::Mismatch::Failed)?;
            }
            schema::run(lease.connection(), &self.migrator, apply).await?;
            if apply {
                migrations::unlock(lease.connection()).await.map_err(schema::Mismatch::Failed)?;
            }
            Ok(())
        };
        match timeout(bound, run).await {
            Ok(Ok(())) => self.finish(lease, Ok(())),
            // The connection goes: it may hold the lock of the migrations.
            Ok(Err(mismatch)) => Err(schema::error(STORE, mismatch, |error| classify(error, &self.address))),
            Err(_) => Err(timed_out(STORE, what, bound)),
        }
    }
}

impl Pieces for MySqlRows {
    async fn write(&self, pieces: &[&[Row<'_>]]) -> Result<(), StoreError> {
        let mut lease = self.lease().await?;
        let written = self.run_all(lease.connection(), pieces).await;
        self.finish(lease, written).inspect_err(|error| self.packet.doubt(error))
    }
}

impl Rows for MySqlRows {
    fn table(&self) -> &Table {
        self.statements.table()
    }

    fn upsert<'a>(&'a self, cells: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>> {
        Box::pin(async move { upsert(self, STORE, self.table(), cells, self.bounds().await?).await })
    }

    fn find<'a>(&'a self, key: &'a [Cell<'a>]) -> BoxFuture<'a, Result<Option<Vec<Value>>, StoreError>> {
        Box::pin(self.select_one(key))
    }

    fn find_many<'a>(
        &'a self,
        keys: &'a [Cell<'a>],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<Value>>>, StoreError>> {
        Box::pin(self.select_many(keys))
    }

    fn newest<'a>(&'a self, page: &'a Newest<'a>) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>> {
        Box::pin(self.select_newest(page))
    }

    fn scan<'a>(
        &'a self,
        after: Option<&'a [Cell<'a>]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<Value>>, StoreError>> {
        Box::pin(self.select(after, limit))
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut lease = self.lease().await?;
            let query = sqlx::query_scalar(self.statements.count());
            let counted = self.within("counting rows", query.fetch_one(lease.connection())).await;
            let count: i64 = self.finish(lease, counted)?;
            Ok(count.cast_unsigned())
        })
    }

    fn check_schema(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.schema(false))
    }

    fn migrate(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.schema(true))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut lease = self.lease().await?;
            let answered = self.within("a ping", lease.connection().ping()).await;
            self.finish(lease, answered)
        })
    }

    fn load(&self) -> BoxFuture<'_, Result<ServerLoad, StoreError>> {
        Box::pin(async move {
            let threads_running = self.monitor.threads_running().await.map_err(|ended| self.error(ended))?;
            let mut replication_lag = None;
            for replica in &self.replicas {
                replication_lag = replication_lag.max(replica.replication_lag().await);
            }
            Ok(ServerLoad { threads_running, replication_lag })
        })
    }
}

impl fmt::Debug for MySqlRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlRows")
            .field("address", &self.address)
            .field("table", &self.table().name())
            .finish_non_exhaustive()
    }
}

fn config(reason: String) -> StoreError {
    StoreError::Config { store: STORE, reason }
}
