//! What an operator changes while a topology runs: switches, limits, pausing a spout, and where it reads on.
//!
//! Every change is a record of one compacted topic, which every worker of every machine follows. It needs neither store;
//! a worker that starts while the log is away begins with the last state it saw, from a local file.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Control`] | a worker's side: follows the topic, turns its [`Switch`](crate::guard::Switch)es, [`Running`] handles and [`LiveLimit`](crate::guard::LiveLimit)s, moves its spouts, reports |
//! | [`ControlSettings`] | its bounds |
//! | [`Operator`] | the other side: changes, waits for the workers, shows state, workers and audit |
//! | [`Key`] [`Change`] | a control record of a switch, a spout or a limit |
//! | [`SeekRecord`] | a control record that has partitions go on elsewhere |
//! | [`Heartbeat`] [`Acknowledgement`] | what a worker says of itself |
//! | [`AuditRecord`] | what is kept of every change |
//! | [`Names`] [`ensure`] | the topics |
//! | [`backfill`] | jobs that process a range of the log beside the live stream |
//!
//! # What may be relied on
//!
//! - The newest record of a key is its state. Records of a key that a worker does not know, and records that do not
//!   decode, change nothing.
//! - While no change is in force a switch or a limit is as the configuration says; a change that ends goes back there
//!   unless an earlier one was for good.
//! - A change with an expiry ends by itself at that time, on every worker, also with the log away: at most a second
//!   later by the worker's clock, which may be set meanwhile. A clock that differs by more than 5 s from that of who made
//!   a change is warned about once.
//! - A worker acknowledges a change after it is in effect there and was offered to the local file.
//! - Nothing here is waited for by the data path: a handle is read without a lock that is held across a wait.
//! - Live is a worker whose last heartbeat is at most three of its intervals old by the clock of the one who asks, so
//!   clocks may differ by about two intervals.

pub mod backfill;
mod change;
mod error;
mod expire;
mod file;
mod follow;
mod handle;
mod host;
mod key;
mod known;
mod names;
mod operate;
mod outage;
mod read;
mod report;
mod running;
mod seeks;
mod settings;
mod shared;
mod state;
mod workers;

#[cfg(test)]
pub(crate) mod tests;

pub use change::Change;
pub use error::ControlError;
pub use handle::Control;
pub use host::host_name;
pub use key::Key;
pub use names::{Names, ensure};
pub use operate::{
    Answers, AuditRecord, Changed, KeyState, Operator, PartitionLag, Planned, PlannedMove, SeekAnswers, SeekPlan,
    SeekTo, Seeking, SpoutSource, WorkerAnswer, WorkerStanding,
};
pub use running::Running;
pub use seeks::SeekRecord;
pub use settings::ControlSettings;
pub use workers::{Acknowledgement, Applied, CursorStanding, Heartbeat, PartitionStanding, Worker};
