//! The conformance suites of stores, one per family.
//!
//! What every [`Timelines`](crate::store::Timelines) and every [`Rows`](crate::store::Rows) does alike, each as one
//! `check_…` that panics with the reason when the store does otherwise; `run_all` runs them one after the other. What
//! is expected comes from reference models that are written straight from the documented rules, over everything that
//! was ever written.
//!
//! Checks that make up their data take a seed, which `run_all` draws and prints: the same seed gives the same data.

mod random;
pub mod row;
pub mod timeline;

pub use random::{Random, seed};
