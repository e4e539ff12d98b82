//! Backfill jobs: a range of the log is processed (again) beside the live stream.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Job`] | what is to be done: ranges, budget, sinks; written once, never changed |
//! | [`Event`] [`Ledger`] | what happens to jobs, and what comes of it: a pure fold |
//! | [`Budget`] | when the next run may go: a rate, and a share of the stores' time; pure |
//! | [`LiveStream`] | what goes first: jobs rest while it is behind |
//! | [`BackfillSpout`] | a spout that leases chunks of jobs and emits exactly their records |
//! | [`Backfills`] | the operator's side: create, look, pause, resume, cancel |
//! | [`BackfillMetrics`] | how jobs stand, as a worker knows it |
//!
//! # How a job is shared out
//!
//! A job is the control record `backfill/<id>`. Its ranges are cut into chunks, and everything that happens after its
//! creation is a record of one single-partition topic, the *ledger* ([`Names::backfill`](super::Names::backfill)): the
//! order of the log decides, and everybody who reads it comes to the same result. A worker takes a chunk by appending a
//! claim and reading on until it sees what came of it. The offset of the claim is the token of the lease: what is said
//! with the token of an earlier lease changes nothing.
//!
//! - A lease is over when its worker has said nothing for [`Job::lease_ms`], judged by the clock of whoever claims the
//!   chunk next; or when nothing was heard of it for as long, for which no two clocks are compared. Clocks that differ may
//!   take a chunk from a living worker. Then records are emitted twice, which the versions of the stores make harmless;
//!   none is left out, and none outside the range is ever emitted.
//! - Never more leases than [`Job::workers`] are held. One that is over is held until another worker takes that very
//!   chunk; such chunks are taken first.
//! - Progress is what is settled, never what was emitted, so what a dead worker had under way is emitted again.
//! - Who reads the ledger meets the first record of a job after the job's own record was durable. A job that is not known
//!   then is looked for in the control topic before the record is folded, so that all fold the same.
//! - A worker that cannot get past a record pauses the job and says why: it goes on with others, and whoever resumes the
//!   job has seen to it.
//! - A finished or cancelled job never gives a chunk out again, also when the ledger has lost what it said of it: its end
//!   is added to its own record.
//!
//! # Skipping ahead
//!
//! [`Backfills::skip`] has a spout go on elsewhere and makes a job of what it passes over. The job's record names the
//! spout, and workers take it for a [seek](super::SeekRecord) to the ends of its ranges: there is never the one without
//! the other.
//!
//! # Where the end is
//!
//! A chunk ends when reading has come to its end, not when a record with the last offset has come: compaction and
//! transactions leave holes. What retention took before it was read is written into the ledger as lost before anything
//! after it goes on, and the job shows it.

mod abreast;
mod budget;
mod clerk;
mod desk;
mod draft;
mod entry;
mod error;
mod event;
mod failed;
mod follow;
mod id;
mod job;
mod lease;
mod ledger;
mod live;
mod metrics;
mod operate;
mod pull;
mod settings;
mod silence;
mod skip;
mod spout;
mod status;
mod work;

#[cfg(test)]
mod tests;

pub use budget::{Budget, Leases, Turn};
pub use draft::{Bound, Draft};
pub use entry::{Chunk, Entry, Lease, Lost};
pub use error::BackfillError;
pub use event::Event;
pub(super) use job::PREFIX;
pub use job::{Job, Over, Range};
pub use ledger::Ledger;
pub use live::LiveStream;
pub use metrics::BackfillMetrics;
pub use operate::Backfills;
pub use settings::BackfillSettings;
pub use spout::BackfillSpout;
pub use status::{Holder, Pause, State, Status};
