//! A topology made ready to run: typed operators compiled into erased tasks.
//!
//! The builder knows every type; a runtime need not. What it gets are [`Source`]s and [`Stage`]s: erased once per task,
//! with one erased call a batch. Inside a task everything is static: fused closures, chained bolts and the
//! exchange at its end are one nest of [`Push`]es.
//!
//! This is the seam between the vocabulary and a runtime. It stays pure: clocks, pauses, metrics and the verdict on a
//! retry come from the [`Host`] that the runtime lends to each operator. Panics are caught here, because only
//! here is known which row was being handled.

mod bolt;
mod catch;
mod exchange;
mod host;
mod output;
mod push;
mod sink;
mod source;
mod split;
mod stage;

pub use host::{Fault, Host, Incident};
pub use push::{Push, Signal};
pub use source::{Run, Source};
pub use stage::{Depth, Stage, Taken};

pub(super) use bolt::{BoltPush, RejectRoute, Rejects};
pub(super) use exchange::{Broadcast, Deal, Part, Scatter};
pub(super) use output::{Duplicate, Output};
pub(super) use push::Fused;
pub(super) use sink::SinkPush;
pub(super) use source::SpoutSource;
pub(super) use split::SplitPush;
pub(super) use stage::{Inbox, Mailbox};

use super::{Bounds, Graph};
use std::sync::Arc;

/// One task, and what a runtime needs to know of it.
pub struct PlannedTask {
    /// Name of the operator whose task it is.
    pub operator: Arc<str>,
    /// Index of the task, from 0.
    pub index: usize,
    /// The operator's bounds.
    pub bounds: Bounds,
    /// What to drive.
    pub work: Work,
}

/// What a task is made of.
pub enum Work {
    /// A spout and what is chained to it.
    Source(Box<dyn Source>),
    /// An inbox and what works on it.
    Stage(Box<dyn Stage>),
}

/// A topology made ready to run.
pub struct Plan {
    /// Its shape, with the configuration applied.
    pub graph: Graph,
    /// All its tasks.
    pub tasks: Vec<PlannedTask>,
}

/// Lends each task of each operator its [`Host`]. Implemented by a runtime.
pub trait Hosts {
    /// The host of task `index` of `operator`.
    fn host(&self, operator: &super::Operator, index: usize, bounds: &Bounds) -> Arc<dyn Host>;
}
