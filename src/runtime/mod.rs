//! Runs a planned topology inside one process, on tokio.
//!
//! One loop per task drives it: spout loops pull runs, open trees, track watermarks and settle; stage loops
//! take batches off a bounded inbox. What a loop needs of the rest of the world (clock, back-off, metrics, the way to stop)
//! it gets from its host. Shutdown is a path: stop pulling, let the end flow down edge by edge, settle, close,
//! all within a deadline; past it tasks are aborted, which drops their shares and so acknowledges nothing.

mod control;
mod host;
mod ledger;
mod metrics;
mod run;
mod spout;
mod stage;
#[cfg(test)]
mod tests;
mod tracker;

pub use control::Stop;
pub use host::FaultScript;
pub use metrics::{Latency, Metrics, OperatorSnapshot, PartitionSnapshot, Snapshot, SpoutSnapshot};
pub use run::{Ended, Options, Report, Running, start};
pub use tracker::Tracker;
