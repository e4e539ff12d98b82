//! Real servers as child processes of a test.
//!
//! A server has free ports, its own data directory and its own process group; all of it is gone when the
//! value is dropped, and also when the test process is killed.
//!
//! | server | needs | `url()` | uses one that runs already |
//! | --- | --- | --- | --- |
//! | [`Kafka`] | Java 17, `make kafka` | `127.0.0.1:9092` | `SQUALL_TEST_KAFKA` |
//! | [`Redis`] | `redis-server` | `redis://127.0.0.1:6379` | `SQUALL_TEST_REDIS` |
//! | [`MariaDb`] | `mariadbd`, `mariadb-install-db` | `mysql://root@127.0.0.1:3306` | `SQUALL_TEST_MYSQL` |
//!
//! Each can be killed and restarted on the same port and data, frozen ([`suspend`](Server::suspend)) and thawed
//! ([`resume`](Server::resume)), and wiped. For failures of the network put a [`FaultProxy`](super::FaultProxy) before it.
//!
//! ```no_run
//! # use squall::testing::servers::{Redis, ServerError};
//! # async fn example() -> Result<(), ServerError> {
//! let mut redis = Redis::start().await?;
//! // ... write through redis.url() ...
//! redis.kill()?; // SIGKILL, as a crash would
//! redis.restart().await?; // same port, same data directory
//! # Ok(())
//! # }
//! ```

mod error;
mod kafka;
mod mariadb;
mod place;
mod process;
mod program;
mod redis;
mod server;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::process::Command;
use std::time::Duration;

pub use error::ServerError;
pub use kafka::{Kafka, KafkaOptions};
pub use mariadb::{MariaDb, MariaDbOptions};
pub use place::Place;
pub use redis::{Redis, RedisOptions};
pub use server::Server;

/// A kind of server, with the options that one of it is started with.
pub trait ServerKind: Clone + Default + Send + Sync + 'static {
    /// Name in errors and of the data directory.
    const NAME: &'static str;
    /// Environment variable that points to a server that runs already.
    const VARIABLE: &'static str;

    /// How long a start may take, from the spawn to the first answer.
    fn ready_timeout(&self) -> Duration;

    /// How clients reach a server on `port`.
    fn url(&self, port: u16) -> String;

    /// Fills the empty data directory. Blocking; called before the first start and after a wipe.
    ///
    /// # Errors
    /// [`ServerError::Missing`] when a program or jar is not installed, [`ServerError::Failed`] when it fails.
    fn prepare(&self, place: &Place) -> Result<(), ServerError>;

    /// What to run. It must stay in the foreground.
    ///
    /// # Errors
    /// [`ServerError::Missing`] when it is not installed.
    fn command(&self, place: &Place) -> Result<Command, ServerError>;

    /// Whether the server at `url` answers its protocol; the text says why not.
    fn probe(&self, url: &str) -> impl Future<Output = Result<(), String>> + Send;
}
