//! A task that begins with a spout.

use super::{Output, Signal};
use crate::topology::{Batch, BoxFuture, Data, Outcome, Pulled, Result, Shares, Spout, TaskInfo};

/// A run that was pulled and not published yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Partition.
    pub partition: u32,
    /// Epoch of the partition.
    pub epoch: u32,
    /// Position after the run.
    pub end: u64,
    /// Number of tuples.
    pub len: usize,
    /// Whether it must be the only one in flight.
    pub alone: bool,
}

/// A spout and what is chained to it, erased. Driven by one loop.
pub trait Source: Send {
    /// Prepares the spout and what is chained to it.
    fn prepare(&mut self) -> BoxFuture<'_, Result<()>>;

    /// Pulls a run and keeps it for [`publish`](Self::publish). Cancel-safe.
    fn pull(&mut self, max: usize) -> BoxFuture<'_, Result<Option<Run>>>;

    /// Sends the pulled run on its way, under `shares`.
    fn publish(&mut self, shares: Shares) -> BoxFuture<'_, ()>;

    /// Tells the spout what became of runs.
    fn settle<'a>(&'a mut self, outcomes: &'a [Outcome]) -> BoxFuture<'a, Result<()>>;

    /// Passes a signal to what is chained to the spout.
    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()>;

    /// When the next [`Signal::Timer`] is wanted.
    fn next_due(&self) -> Option<u64>;

    /// Lets the outgoing edges go: whoever reads them sees their end.
    fn hang_up(&mut self);

    /// Whether a partition is still the spout's.
    fn owns(&self, partition: u32, epoch: u32) -> bool;

    /// What waits behind the last run, by partition.
    fn lag(&self) -> Vec<(u32, u64)>;

    /// Closes the spout.
    fn close(&mut self) -> BoxFuture<'_, Result<()>>;
}

/// A [`Source`] over a spout `S`.
pub(in crate::topology) struct SpoutSource<S: Spout> {
    spout: S,
    info: TaskInfo,
    pulled: Vec<S::Out>,
    out: Option<Output<S::Out>>,
}

impl<S: Spout> SpoutSource<S> {
    pub(in crate::topology) fn new(spout: S, info: TaskInfo, out: Output<S::Out>) -> Self {
        Self { spout, info, pulled: Vec::new(), out: Some(out) }
    }
}

impl<S: Spout> Source for SpoutSource<S>
where
    S::Out: Data,
{
    fn prepare(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if let Some(out) = &mut self.out {
                out.signal(Signal::Prepare).await;
            }
            self.spout.prepare(&self.info).await
        })
    }

    fn pull(&mut self, max: usize) -> BoxFuture<'_, Result<Option<Run>>> {
        Box::pin(async move {
            let Some(pulled) = self.spout.next_batch(max).await? else {
                return Ok(None);
            };
            let Pulled { partition, epoch, end, ref tuples } = pulled;
            let run = Run { partition, epoch, end, len: tuples.len(), alone: self.spout.alone() };
            self.pulled = pulled.tuples;
            Ok(Some(run))
        })
    }

    fn publish(&mut self, shares: Shares) -> BoxFuture<'_, ()> {
        let batch = Batch::new(std::mem::take(&mut self.pulled), shares);
        Box::pin(async move {
            if let Some(out) = &mut self.out {
                out.push(batch).await;
            }
        })
    }

    fn settle<'a>(&'a mut self, outcomes: &'a [Outcome]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.spout.settle(outcomes))
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(out) = &mut self.out {
                out.signal(signal).await;
            }
        })
    }

    fn next_due(&self) -> Option<u64> {
        self.out.as_ref().and_then(Output::next_due)
    }

    fn hang_up(&mut self) {
        self.out = None;
    }

    fn owns(&self, partition: u32, epoch: u32) -> bool {
        self.spout.owns(partition, epoch)
    }

    fn lag(&self) -> Vec<(u32, u64)> {
        self.spout.lag()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.spout.close())
    }
}
