//! The stores against real servers: the conformance suites, and what only a server can do to them.

#![allow(clippy::unwrap_used, reason = "a test fails with the reason")]

#[path = "store/mysql.rs"]
mod mysql;
#[path = "store/redis.rs"]
mod redis;
