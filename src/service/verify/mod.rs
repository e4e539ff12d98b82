//! Is every record of the log where it should be, and where is one?
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Expect`] | what a topology says of its records: how they decode, and how they stand in each of its stores |
//! | [`Source`] | where they come from |
//! | [`Bound`] [`Range`] [`ranges`] | which part of the log is meant, frozen at the call |
//! | [`Verifier`] | reads a range and gives every record of it, for every sink, a [`Verdict`] |
//! | [`Report`] | the verdicts counted, and the first records that are missing |
//! | [`Tracer`] | the same for single records, with everything that is known of each |
//!
//! # What may be relied on
//!
//! - It may run while the topology does. A record is missing only when it was committed before the reading began, and
//!   is still in no store, no retry topic and not among the dead letters when all of them are looked at a second time.
//! - A store is asked before anything else: a record that is stored and waits all the same is stored.
//! - A letter that an operator sent back to its sink accounts for nothing any more: the record is where it was sent to, or
//!   missing.
//! - One block of records is held at a time, and of what waits or died only the places, of records within the range and
//!   at most [`Settings::max_aside`].

mod aside;
mod blocks;
mod error;
mod expect;
mod found;
mod known;
mod missing;
mod range;
mod report;
mod sample;
mod skipped;
#[cfg(test)]
mod tests;
mod tracer;
mod verdict;
mod verifier;

pub use error::VerifyError;
pub use expect::{Expect, Source, Standing};
pub use found::{AtSink, Found, InLog, Letter, Subject, Wait};
pub use missing::{Missing, MissingRanges};
pub use range::{Bound, Range, ranges};
pub use report::{Report, SinkReport};
pub use sample::Sample;
pub use skipped::{Skip, SkippedBy};
pub use tracer::Tracer;
pub use verdict::{Tally, Verdict};
pub use verifier::{Settings, Verifier};
