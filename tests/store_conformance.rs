//! The stores against real servers: the conformance suites, and what only a server can do to them.

#[path = "store/mysql.rs"]
mod mysql;
#[path = "store/redis.rs"]
mod redis;
