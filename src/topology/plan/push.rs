//! The erased input of an operator inside a task.

use std::sync::Arc;

use super::catch::fused;
use super::{Host, Output};
use crate::topology::{Batch, BoxFuture, Flow};

/// What reaches every operator of a task besides tuples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Before the first batch: `prepare`.
    Prepare,
    /// The inbox is empty: what waits for company without a linger leaves.
    Idle,
    /// Something said to be due is: ticks, lingers.
    Timer,
    /// After the last batch: everything leaves, `close`.
    Close,
}

/// Takes batches. One erased call a batch; a chain is a `Push` inside a `Push`.
///
/// Shares of what cannot be delivered are failed, never acked: errors travel by them and by the
/// [`Host`](super::Host), so nothing is returned.
pub trait Push<T>: Send {
    /// Handles a batch. Waits when what comes after is full. Not cancelled except by abort of the whole task, which
    /// drops the shares.
    fn push(&mut self, batch: Batch<T>) -> BoxFuture<'_, ()>;

    /// Handles a signal and passes it on.
    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()>;

    /// When the next [`Signal::Timer`] is wanted, nanoseconds on the run's clock.
    fn next_due(&self) -> Option<u64>;
}

/// Fused steps in front of edges: for a merge, whose inputs must be of one type.
pub(in crate::topology) struct Fused<F: Flow> {
    pub(in crate::topology) flow: F,
    pub(in crate::topology) next: Output<F::Out>,
    pub(in crate::topology) host: Arc<dyn Host>,
}

impl<F: Flow> Push<F::In> for Fused<F> {
    fn push(&mut self, batch: Batch<F::In>) -> BoxFuture<'_, ()> {
        let flow = &mut self.flow;
        let made = fused(&*self.host, batch.shares, || flow.all(batch.tuples));
        Box::pin(async move {
            if let Some((tuples, shares)) = made {
                self.next.push(Batch::new(tuples, shares)).await;
            }
        })
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()> {
        Box::pin(self.next.signal(signal))
    }

    fn next_due(&self) -> Option<u64> {
        self.next.next_due()
    }
}
