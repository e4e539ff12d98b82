//! The conformance suite of timelines.
//!
//! ```no_run
//! # use squall::testing::store::timeline::{Subject, run_all};
//! # async fn example(mut subject: impl Subject) {
//! run_all(&mut subject).await;
//! # }
//! ```

mod concurrent;
mod model;
mod order;
mod read;
mod refuse;
mod restart;
mod rules;
mod run;
mod subject;
mod write;

pub use concurrent::check_concurrent_writers;
pub use model::{Model, Write};
pub use order::{check_any_order, check_small};
pub use read::{
    check_bodies, check_empty, check_limits_of_reads, check_long_timelines, check_merged_order, check_repairs,
};
pub use refuse::check_bad_entries;
pub use restart::check_restart;
pub use rules::{check_counts, check_equal_replaces, check_trimmed_stays_out};
pub use run::run_all;
pub use subject::Subject;
