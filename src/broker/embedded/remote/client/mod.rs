//! The side that uses the log of another process.

mod broker;
mod consumer;
mod conversation;
mod cursor;
mod holds;
mod line;
mod lines;
mod producer;
mod seat;
mod settings;

pub use broker::RemoteBroker;
pub use settings::RemoteSettings;
