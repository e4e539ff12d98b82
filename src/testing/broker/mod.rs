//! The conformance suite of logs.
//!
//! What every [`Broker`](crate::broker::Broker) does alike, each as one `check_…` that panics with the reason
//! when the log does otherwise. [`run_all`] runs them one after the other.
//!
//! A check makes topics and groups of its own with fresh random names, so it may run against a cluster that
//! others use, and beside another check. It waits for conditions with generous deadlines and never asserts how
//! long something took: joining a group may take ten seconds.
//!
//! ```no_run
//! # use squall::testing::broker::{Subject, run_all};
//! # async fn example(mut subject: impl Subject) {
//! run_all(&mut subject).await;
//! # }
//! ```

mod append;
mod durability;
mod group;
mod member;
mod pause;
mod read;
mod run;
mod sharing;
mod subject;
mod support;
mod topics;

pub use append::{
    check_concurrent_appends, check_empty_values_and_tombstones, check_headers, check_key_chooses_partition,
    check_large_payloads, check_order_per_partition,
};
pub use durability::{check_compaction, check_restart};
pub use group::{check_commit_and_resume, check_first_start, check_group_out_of_range, check_reset};
pub use pause::{check_notes, check_pause_and_resume, check_paused_member_stays};
pub use read::{check_cursor_out_of_range, check_cursor_waits, check_seek_by_offset, check_seek_by_time};
pub use run::run_all;
pub use sharing::check_members_share;
pub use subject::Subject;
pub use topics::{check_topics, check_unknown};
