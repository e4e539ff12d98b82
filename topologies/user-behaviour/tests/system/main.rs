//! The binary as a user runs it: embedded, and on real servers.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod backfill;
mod bad_input;
mod browser;
mod cluster;
mod collector;
mod embedded;
mod mistakes;
mod openapi;
mod operate;
mod switches;
mod traces;
mod verify;

#[path = "../oracle/data.rs"]
mod data;

#[path = "../support/mod.rs"]
mod support;
