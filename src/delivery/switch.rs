//! Keeps rows from a sink that is switched off.

use std::sync::Arc;

use super::{Accepts, SinkState};
use crate::topology::{Class, Error, Layer, Rejected, Result, Sink, TaskInfo};

/// Refuses every row while the sink takes none, without touching it.
#[derive(Debug, Clone)]
pub(super) struct SwitchLayer(pub(super) Arc<SinkState>);

/// A sink with a switch before it.
#[derive(Debug, Clone)]
pub(super) struct Switched<S> {
    state: Arc<SinkState>,
    inner: S,
}

impl<S: Sink> Layer<S> for SwitchLayer {
    type Sink = Switched<S>;

    fn layer(self, inner: S) -> Switched<S> {
        Switched { state: self.0, inner }
    }
}

impl<S: Sink> Sink for Switched<S> {
    type In = S::In;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        self.inner.prepare(task).await
    }

    async fn write(&mut self, rows: &[&S::In]) -> Result<Rejected> {
        if self.state.accepts() == Accepts::Nothing {
            return Err(Error::new(Class::Refused, format!("{} takes no rows now", self.state.name())));
        }
        self.inner.write(rows).await
    }

    fn size_of(&self, tuple: &S::In) -> usize {
        self.inner.size_of(tuple)
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}
