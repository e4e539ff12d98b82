//! Versioned rows in MySQL 8 or MariaDB 10.11.
//!
//! # Tables
//!
//! Key and text version columns must compare as bytes: `VARBINARY`, whose content the store reads back as UTF-8.
//! A `VARCHAR` folds case or pads with blanks, whatever its collation, on one server or the other. A table has its
//! primary key and no other unique index: an upsert would replace the row that it finds by either.
//!
//! # Statements
//!
//! A batch is one multi-row `INSERT ... ON DUPLICATE KEY UPDATE`, prepared; what exceeds the bounds of a statement is
//! split, and the pieces run in one transaction. Rows are sorted by key, which keeps writers of the same rows from
//! deadlocking; when they do nevertheless, the transaction is rolled back and the error says `Retryable`.
//!
//! A row that the server refuses, for being too long, out of range, against a constraint, is found by halving its
//! statement: it alone is poison, the others are stored.
//!
//! # Sessions
//!
//! Every connection has `utf8mb4`, UTC, strict mode, `READ COMMITTED`, and a bound on waiting for locks. A connection
//! whose call was given up, or failed for another reason than the server's refusal, is closed.

mod error;
mod load;
mod migrations;
mod packet;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod values;

pub use settings::MySqlSettings;
pub use store::MySqlRows;
