//! The conformance suite of versioned rows.
//!
//! It works on the table [`table`], which the migrations [`mysql_migrations`] and [`sqlite_migrations`] create.
//!
//! ```no_run
//! # use squall::testing::store::row::{Subject, run_all};
//! # async fn example(mut subject: impl Subject) {
//! run_all(&mut subject).await;
//! # }
//! ```

mod concurrent;
mod guard;
mod model;
mod newest;
mod order;
mod read;
mod refuse;
mod restart;
mod rows;
mod run;
mod schema;
mod subject;

pub use concurrent::check_hot_keys;
pub use guard::{check_duplicates_in_a_batch, check_version_guard};
pub use model::{Model, Record};
pub use newest::{check_newest, check_newest_beside_writers};
pub use order::{check_any_order, check_small};
pub use read::{check_find_many, check_keys_are_bytes, check_scan, check_values};
pub use refuse::{check_bad_rows, check_refused_by_the_server};
pub use restart::check_restart;
pub use run::run_all;
pub use schema::check_migrations;
pub use subject::{Statement, Subject, mysql_migrations, sqlite_migrations, table};
