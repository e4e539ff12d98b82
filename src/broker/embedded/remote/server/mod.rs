//! The side that has the log open.
//!
//! A [`Server`] is a thread with a runtime of its own. Each connection is a session on it: one request at a time,
//! answered by a desk that holds the cursor or the member that the connection has become.

mod desk;
mod listener;
mod session;

pub(in super::super) use listener::Server;
