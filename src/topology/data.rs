//! What may flow through a topology.

use std::future::Future;
use std::pin::Pin;

/// A tuple. Anything that can be sent to another thread and shared between sinks; no trait to derive.
pub trait Data: Send + Sync + 'static {}

impl<T: Send + Sync + 'static> Data for T {}

/// A boxed future: what a call is erased to, once a batch.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which task of which operator a spout, bolt or sink runs as. Given to `prepare`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskInfo {
    /// Name of the operator.
    pub operator: std::sync::Arc<str>,
    /// Index of this task, from 0.
    pub task: usize,
    /// How many tasks the operator has.
    pub tasks: usize,
}
