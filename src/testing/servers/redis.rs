//! Redis.

use std::process::Command;
use std::time::Duration;

use super::{Place, Server, ServerError, ServerKind, program};

/// A Redis server. Keeps nothing on disk unless [`RedisOptions::append_only`] is set.
pub type Redis = Server<RedisOptions>;

/// How a [`Redis`] is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// Whether every write goes to disk before it is answered, so that a kill loses nothing.
    pub append_only: bool,
    /// Whether it is a node of a cluster, at first of one with no slots. Its bus has the second port.
    pub cluster: bool,
    /// More arguments, as on the command line: `["--maxmemory", "8mb"]`.
    pub arguments: Vec<String>,
    /// How long the start may take.
    pub ready_timeout: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self { append_only: false, cluster: false, arguments: Vec::new(), ready_timeout: Duration::from_secs(15) }
    }
}

impl ServerKind for RedisOptions {
    const NAME: &'static str = "redis";
    const VARIABLE: &'static str = "SQUALL_TEST_REDIS";

    fn ready_timeout(&self) -> Duration {
        self.ready_timeout
    }

    fn url(&self, port: u16) -> String {
        format!("redis://127.0.0.1:{port}")
    }

    fn prepare(&self, _place: &Place) -> Result<(), ServerError> {
        Ok(())
    }

    fn command(&self, place: &Place) -> Result<Command, ServerError> {
        let mut command = Command::new(program::find("redis-server")?);
        let append_only = if self.append_only { "yes" } else { "no" };
        command
            .args(["--port", &place.port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no", "--save", ""])
            .args(["--appendonly", append_only, "--appendfsync", "always", "--dir"])
            .arg(place.data());
        if self.cluster {
            command.args(["--cluster-enabled", "yes", "--cluster-port", &place.second_port.to_string()]);
        }
        command.args(&self.arguments);
        Ok(command)
    }

    async fn probe(&self, url: &str) -> Result<(), String> {
        let client = ::redis::Client::open(url).map_err(|e| e.to_string())?;
        let ping = async {
            let mut connection = client.get_multiplexed_async_connection().await?;
            ::redis::cmd("PING").query_async::<String>(&mut connection).await
        };
        let answer = tokio::time::timeout(Duration::from_secs(2), ping).await;
        answer.map_err(|e| e.to_string())?.map(drop).map_err(|e| e.to_string())
    }
}
