//! The domain of the user-behaviour topology: what a record is, how it arrives and where it goes.
//!
//! | part | what it holds |
//! | --- | --- |
//! | [`record`] | a [`Behaviour`](record::Behaviour), its rules, its canonical JSON, its derived id |
//! | [`mod@format`] | the formats in which records arrive, one file each |
//! | [`generate`] | realistic records for tests and benchmarks, the same for the same seed |
//! | [`schema`] | the table, the timeline entry, the migrations |
//! | [`view`] | what `read <user_id>` prints |
//!
//! Nothing here waits, does I/O or reads a clock: the time of day is a parameter.

pub mod format;
pub mod generate;
pub mod record;
pub mod schema;
pub mod view;
