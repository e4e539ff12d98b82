//! The numbers that bound a client.

use std::time::Duration;

/// How the log of another process is used. Every wait has its bound here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSettings {
    /// How long connecting and a question may take. A fetch or a poll may wait for records beyond it, as long as the
    /// server answers.
    pub request_timeout: Duration,
    /// How long an append, a commit, or creating and deleting a topic may take, connecting included.
    pub delivery_timeout: Duration,
    /// Connections for all of these together; one call uses one, and waits for it. Each cursor and each member has
    /// one of its own beside them. The server has a bound too (`share_connections`).
    pub connections: usize,
}

impl Default for RemoteSettings {
    /// 10 s for a question, 30 s for an append, 4 connections.
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            delivery_timeout: Duration::from_secs(30),
            connections: 4,
        }
    }
}
