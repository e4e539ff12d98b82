//! Everything that a record goes through, against an oracle that shares no code with it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod data;
mod judge;
mod oracle;
mod records;
mod stores;
mod taobao;
