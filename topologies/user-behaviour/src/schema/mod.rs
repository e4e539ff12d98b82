//! Where a record goes: the table, the timeline, and the migrations that create the table.
//!
//! The table holds one row per `(user_id, event_id)`. Its version is `occurred_at`; the event id, the second
//! part of a record's [version](crate::record::Behaviour::version), is the same for all versions of a row.

mod entry;
mod migrations;
mod table;
#[cfg(test)]
mod tests;

pub use entry::entry;
pub use migrations::{migrator_mysql, migrator_sqlite, renamed};
pub use table::{NEWEST, RECENT, TABLE, cells, from_values, table, table_named};
