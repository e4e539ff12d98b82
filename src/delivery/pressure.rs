//! Slows down for a store under load.

use std::sync::Arc;

use super::SinkState;
use crate::topology::{Class, Layer, Rejected, Result, Sink, TaskInfo};

/// Measures how long writes take, and waits before each as long as the sink's gauge asks for.
#[derive(Debug, Clone)]
pub(super) struct PressureLayer(pub(super) Arc<SinkState>);

/// A sink that is written to at the pace that it can bear.
#[derive(Debug, Clone)]
pub(super) struct Paced<S> {
    state: Arc<SinkState>,
    inner: S,
}

impl<S: Sink> Layer<S> for PressureLayer {
    type Sink = Paced<S>;

    fn layer(self, inner: S) -> Paced<S> {
        Paced { state: self.0, inner }
    }
}

impl<S: Sink> Sink for Paced<S> {
    type In = S::In;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        self.inner.prepare(task).await
    }

    async fn write(&mut self, rows: &[&S::In]) -> Result<Rejected> {
        let pause = self.state.pause();
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let started = self.state.clock().now();
        let result = self.inner.write(rows).await;
        if !is_refused(&result, rows.len()) {
            self.state.observe(self.state.clock().now().saturating_sub(started));
        }
        result
    }

    fn size_of(&self, tuple: &S::In) -> usize {
        self.inner.size_of(tuple)
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}

/// Whether no row was even tried, which takes no time and says nothing of the store.
fn is_refused(result: &Result<Rejected>, rows: usize) -> bool {
    match result {
        Ok(rejected) => {
            !rejected.is_empty()
                && rejected.len() == rows
                && rejected.iter().all(|(_, error)| error.class() == Class::Refused)
        }
        Err(error) => error.class() == Class::Refused,
    }
}
