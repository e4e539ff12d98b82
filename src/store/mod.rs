//! Where state goes: timelines and versioned rows.
//!
//! Two families, each with one contract, two implementations and one conformance suite
//! ([`testing::store`](crate::testing::store)):
//!
//! | family | trait | on servers | embedded |
//! | --- | --- | --- | --- |
//! | [`timeline`]: the newest entries and a profile per owner | [`Timelines`] | Redis, or a ring of them | memory with snapshot |
//! | [`row`]: every record, by key, newest version wins | [`Rows`] | MySQL, MariaDB | SQLite |
//!
//! Writes are idempotent and confluent: any order, any repetition, any grouping into batches ends in the
//! same state. That is what lets a late retry, a zombie worker or a backfill write without asking.

mod error;
pub mod row;
pub mod timeline;

pub use error::StoreError;
pub use row::{RowSink, Rows, ServerLoad};
pub use timeline::{TimelineSink, Timelines};
