//! The log of one process for others on the same host.
//!
//! A data directory belongs to the process that has it open. With [`share`](super::EmbeddedSettings::share) that
//! process listens on the Unix domain socket `broker.sock` in the directory, and [`RemoteBroker`] is the whole
//! [`Broker`](crate::broker::Broker) over it: topics, appends, cursors and group members.
//!
//! | part | what it does |
//! | --- | --- |
//! | `socket` | where the socket is, who may use it, what a dead process left |
//! | `wire` | frames, the greeting, requests, replies and errors as bytes |
//! | `server` | the thread that serves, a session per connection |
//! | `client` | [`RemoteBroker`] |
//!
//! # What may be relied on
//!
//! - **The server is a guest in its process.** It has a thread and a runtime of its own, so it takes no time of the
//!   tasks that use the log directly. It ends with the last clone of the broker, which waits for it: nothing of
//!   another process keeps the directory's lock.
//! - **Everything is bounded**: connections, frames, the time to send a request that was begun or to read an answer,
//!   and the time that a connection may be idle.
//! - **A connection that ends frees all that it had.** A member that was on it leaves its group without commit. An
//!   append that was on its way is stored whole or not at all.
//! - **A server that goes away** is [`BrokerError::Remote`](crate::broker::BrokerError::Remote), which is retryable;
//!   the next call connects again. A cursor goes on where it was. A member has lost its partitions, says so, and
//!   joins again.
//! - **Only the same user** (or root) is let in. The socket's mode is 0600.
//!
//! # The protocol
//!
//! Frames are a length (u32, little-endian) and as many bytes. Both sides begin with a greeting that holds the
//! version of the protocol; another version is refused. Then the client sends requests, each with an id, and gets one
//! reply for each, in their order. A request that arrives while a fetch or a poll waits ends that wait; behind any
//! other request it waits for its turn.

mod client;
mod server;
mod socket;
mod wire;

#[cfg(test)]
mod tests;

pub use client::{RemoteBroker, RemoteSettings};
pub(super) use server::Server;
