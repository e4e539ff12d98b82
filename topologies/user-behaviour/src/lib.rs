//! The user-behaviour topology: what a record is, how it arrives, where it goes, and the commands of the binary.
//!
//! | part | what it holds |
//! | --- | --- |
//! | [`record`] | a [`Behaviour`](record::Behaviour), its rules, its canonical JSON, its derived id |
//! | [`mod@format`] | the formats in which records arrive, one file each |
//! | [`generate`] | realistic records for tests and benchmarks, the same for the same seed |
//! | [`schema`] | the table, the timeline entry, the migrations |
//! | [`view`] | what `read <user_id>` prints |
//! | [`topology`] | decode, then timelines and rows side by side |
//! | [`verify`] | how records of the log stand in both stores |
//! | [`collector`] | takes records over HTTP and appends them to the log |
//! | [`query`] | the query service: lists and profiles over HTTP |
//! | [`settings`] [`open`] | the configuration, and opening what it names |
//! | [`commands`] | the command line |
//!
//! The first five are pure: they do not wait, do no I/O and read no clock; the time of day is a parameter.

pub mod collector;
pub mod commands;
pub mod format;
pub mod generate;
pub mod open;
pub mod query;
pub mod record;
pub mod schema;
pub mod settings;
pub mod topology;
pub mod verify;
pub mod view;
