//! Versioned rows in an SQLite file.
//!
//! The file is in WAL mode with `synchronous = FULL`: what was answered survives `kill -9` and a power cut. One
//! connection writes, a few read beside it. Another process may have the file open; a write waits for its lock as long
//! as the settings say.
//!
//! Text and bytes compare as bytes; columns need the types `TEXT`, `BLOB` and `INTEGER`. A table has its primary key
//! and no other unique index.

mod error;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod values;

pub use settings::SqliteSettings;
pub use store::SqliteRows;
