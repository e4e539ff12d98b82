//! MariaDB.

use std::process::Command;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

use super::{Place, Server, ServerError, ServerKind, program};

/// A MariaDB server, with an administrator `root` without password on loopback only.
pub type MariaDb = Server<MariaDbOptions>;

/// How a [`MariaDb`] is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariaDbOptions {
    /// `innodb_flush_log_at_trx_commit`: 1 survives the crash of the machine, 2 that of the server.
    pub flush_log_at_commit: u8,
    /// `innodb_buffer_pool_size` in MiB.
    pub buffer_pool_mib: u32,
    /// More arguments, as on the command line: `["--max-allowed-packet=65536"]`.
    pub arguments: Vec<String>,
    /// How long the start may take.
    pub ready_timeout: Duration,
}

impl Default for MariaDbOptions {
    fn default() -> Self {
        Self {
            flush_log_at_commit: 1,
            buffer_pool_mib: 64,
            arguments: Vec::new(),
            ready_timeout: Duration::from_secs(60),
        }
    }
}

impl ServerKind for MariaDbOptions {
    const NAME: &'static str = "mariadb";
    const VARIABLE: &'static str = "SQUALL_TEST_MYSQL";

    fn ready_timeout(&self) -> Duration {
        self.ready_timeout
    }

    fn url(&self, port: u16) -> String {
        format!("mysql://root@127.0.0.1:{port}")
    }

    /// Temporary tables go into the server's own directory: a server that starts sweeps such tables out of its folder, also
    /// those of another that is just being installed in the same one.
    fn prepare(&self, place: &Place) -> Result<(), ServerError> {
        let mut command = Command::new(program::find("mariadb-install-db")?);
        command
            .env("TMPDIR", &place.dir)
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(as_root())
            .arg(format!("--datadir={}", place.data().display()));
        program::run(command)
    }

    fn command(&self, place: &Place) -> Result<Command, ServerError> {
        let mut command = Command::new(program::find("mariadbd")?);
        command
            .env("TMPDIR", &place.dir)
            .args(["--no-defaults", "--skip-networking=0", "--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args(as_root())
            .arg(format!("--port={}", place.port))
            .arg(format!("--datadir={}", place.data().display()))
            .arg(format!("--socket={}", place.dir.join("socket").display()))
            .arg(format!("--pid-file={}", place.dir.join("pid").display()))
            .arg(format!("--innodb-flush-log-at-trx-commit={}", self.flush_log_at_commit))
            .arg(format!("--innodb-buffer-pool-size={}M", self.buffer_pool_mib))
            .args(["--innodb-log-file-size=64M", "--aria-pagecache-buffer-size=8M", "--key-buffer-size=1M"])
            .args(&self.arguments);
        Ok(command)
    }

    async fn probe(&self, url: &str) -> Result<(), String> {
        let query = async {
            let mut connection = MySqlConnection::connect(url).await?;
            sqlx::query("select 1").execute(&mut connection).await
        };
        let answer = tokio::time::timeout(Duration::from_secs(2), query).await;
        answer.map_err(|e| e.to_string())?.map(drop).map_err(|e| e.to_string())
    }
}

impl Server<MariaDbOptions> {
    /// Creates an empty database for one test and returns its URL. It is called `squall_test_` and the name,
    /// so that no database of a server that the environment names can be hit; one of an earlier run goes.
    ///
    /// # Errors
    /// [`ServerError::Failed`] when the name is not of `[a-z0-9_]`, or the server refuses.
    pub async fn database(&self, name: &str) -> Result<String, ServerError> {
        let failed =
            |reason: String| ServerError::Failed { context: format!("cannot create database `{name}`"), reason };
        if name.is_empty() || !name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
            return Err(failed("a name is made of a-z, 0-9 and _".into()));
        }
        let database = format!("squall_test_{name}");
        let mut connection = MySqlConnection::connect(self.url()).await.map_err(|e| failed(e.to_string()))?;
        for sql in [
            format!("drop database if exists {database}"),
            format!("create database {database} character set utf8mb4 collate utf8mb4_bin"),
        ] {
            // Safe: the name was checked above.
            sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.map_err(|e| failed(e.to_string()))?;
        }
        let server = self.url().trim_end_matches('/');
        Ok(format!("{server}/{database}"))
    }
}

/// The server refuses to run as root unless told to.
fn as_root() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("--user=root")
}
