//! Leaves a store alone that fails.

use std::sync::Arc;

use super::SinkState;
use crate::guard::Verdict;
use crate::topology::{Class, Error, Layer, Rejected, Result, Sink, TaskInfo};

/// Asks the breaker of a node before each write, and tells it how the write went. Poison is the row's fault and counts
/// as success: the store did its work.
#[derive(Debug, Clone)]
pub(super) struct BreakerLayer(pub(super) Arc<SinkState>, pub(super) usize);

/// A sink with a breaker before it.
#[derive(Debug, Clone)]
pub(super) struct Tripping<S> {
    state: Arc<SinkState>,
    node: usize,
    inner: S,
}

impl<S: Sink> Layer<S> for BreakerLayer {
    type Sink = Tripping<S>;

    fn layer(self, inner: S) -> Tripping<S> {
        Tripping { state: self.0, node: self.1, inner }
    }
}

impl<S: Sink> Sink for Tripping<S> {
    type In = S::In;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        self.inner.prepare(task).await
    }

    async fn write(&mut self, rows: &[&S::In]) -> Result<Rejected> {
        let clock = self.state.clock();
        let started = clock.now();
        let permit = self.state.node(self.node).breaker().acquire(started).map_err(|refusal| {
            Error::new(Class::Refused, format!("the breaker of {} is open: {refusal}", self.state.name()))
        })?;
        let result = self.inner.write(rows).await;
        let ended = clock.now();
        permit.record(verdict(&result, rows.len()), ended.saturating_sub(started), ended);
        result
    }

    fn size_of(&self, tuple: &S::In) -> usize {
        self.inner.size_of(tuple)
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}

/// A write of which not one row could be stored, for the store's sake, has failed.
fn verdict(result: &Result<Rejected>, rows: usize) -> Verdict {
    match result {
        Ok(rejected) => {
            let failed = rejected.iter().filter(|(_, error)| error.class() == Class::Retryable).count();
            if failed > 0 && failed == rows { Verdict::Failure } else { Verdict::Success }
        }
        Err(error) => match error.class() {
            Class::Retryable => Verdict::Failure,
            Class::Poison => Verdict::Success,
            Class::Refused | Class::Fatal => Verdict::Ignored,
        },
    }
}
