//! How to reach the server.

use std::fmt;
use std::time::Duration;

/// Where Redis is, and the bounds of talking to it.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// `redis://[user][:password]@host[:port][/db]` or `unix:///path`. May hold a password: never shown.
    pub url: String,
    /// What every key starts with. No braces.
    pub prefix: String,
    /// Connections that calls are spread over; each carries any number of calls at once.
    pub connections: usize,
    /// Bound of opening a connection.
    pub connect_timeout: Duration,
    /// Bound of every call, from the request to the last answer.
    pub response_timeout: Duration,
    /// Pause after the first failed attempt to connect; it doubles from attempt to attempt.
    pub backoff_min: Duration,
    /// The longest pause between attempts to connect.
    pub backoff_max: Duration,
}

impl RedisSettings {
    /// Two connections, prefix `squall`, 2 s to connect, 3 s to answer, pauses from 100 ms to 2 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "squall".to_owned(),
            connections: 2,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(3),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("backoff_min", &self.backoff_min)
            .field("backoff_max", &self.backoff_max)
            .finish_non_exhaustive()
    }
}
