//! The one writer: appends, commits, topics.
//!
//! Jobs wait in a queue; the writer takes all that wait, stages their records and commits in one batch, writes
//! and syncs it once, shows the records to readers, then answers. While it waits for the disk the next jobs
//! gather, so the batches grow with the load.

mod job;
mod queue;
mod stage;
mod topics;

pub(super) use job::{AppendJob, CommitJob, CreateJob, DeleteJob, Job, Reply};
pub(super) use queue::Writer;
