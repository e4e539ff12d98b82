//! Gives up on a write that takes too long.

use std::time::Duration;

use crate::topology::{Error, Layer, Rejected, Result, Sink, TaskInfo};

/// Drops a write after a time. Its outcome is unknown: rows may be stored, so they are written again later, and the
/// version in the store decides.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeoutLayer(pub(super) Duration);

/// A sink whose writes end in time.
#[derive(Debug, Clone)]
pub(super) struct TimedOut<S> {
    after: Duration,
    inner: S,
}

impl<S: Sink> Layer<S> for TimeoutLayer {
    type Sink = TimedOut<S>;

    fn layer(self, inner: S) -> TimedOut<S> {
        TimedOut { after: self.0, inner }
    }
}

impl<S: Sink> Sink for TimedOut<S> {
    type In = S::In;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        self.inner.prepare(task).await
    }

    async fn write(&mut self, rows: &[&S::In]) -> Result<Rejected> {
        match tokio::time::timeout(self.after, self.inner.write(rows)).await {
            Ok(result) => result,
            Err(_) => {
                Err(Error::retryable(format!("no answer within {:?}; what was stored is unknown", self.after)))
            }
        }
    }

    fn size_of(&self, tuple: &S::In) -> usize {
        self.inner.size_of(tuple)
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}
