//! Where tuples come from.

use std::future::Future;

use super::{Class, Data, Result, TaskInfo};

/// What one call of [`Spout::next_batch`] brings: a run of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled<T> {
    /// Partition, counted from 0. A spout without partitions says 0.
    pub partition: u32,
    /// Grows when the partition is assigned anew; what an older epoch still has in flight is forgotten.
    pub epoch: u32,
    /// Position after the run: where reading goes on once all below it is settled. Grows within an epoch,
    /// except for replays, which may repeat the end of a failed run or lie below it.
    pub end: u64,
    /// The tuples; none is fine (a run that needs nothing done, such as a hole or a quarantined record).
    pub tuples: Vec<T>,
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Partition of the run.
    pub partition: u32,
    /// Epoch of the run.
    pub epoch: u32,
    /// End of the run, as it was pulled.
    pub end: u64,
    /// `None`: every sink has it. Otherwise the worst class of error that any of its tuples met.
    pub failed: Option<Class>,
    /// For poison: whether the tuple at fault was of this run for certain, see [`Failure`](super::Failure).
    pub isolated: bool,
    /// For poison: what the first operator that found it said, see [`Failure`](super::Failure).
    pub reason: Option<Box<str>>,
    /// Position below which everything of the partition is settled; `None` while nothing is. The only value
    /// that may be committed.
    pub watermark: Option<u64>,
}

/// A source of tuples, one task of it at a time.
///
/// The runtime clones the prototype once per task and calls everything on that task: no method runs beside
/// another, so no locks are needed. Order: `prepare`, then any mix of `next_batch` and `settle`, then `close`.
///
/// ```
/// use squall::{Outcome, Pulled, Result, Spout};
///
/// /// Counts to `end`.
/// #[derive(Clone)]
/// struct Counter { at: u64, end: u64 }
///
/// impl Spout for Counter {
///     type Out = u64;
///     async fn next_batch(&mut self, max: usize) -> Result<Option<Pulled<u64>>> {
///         if self.at == self.end {
///             return Ok(None);
///         }
///         let to = self.end.min(self.at + max as u64);
///         let tuples = (self.at..to).collect();
///         self.at = to;
///         Ok(Some(Pulled { partition: 0, epoch: 0, end: to, tuples }))
///     }
/// }
/// ```
pub trait Spout: Clone + Send + 'static {
    /// What it emits.
    type Out: Data;

    /// Called once, before the first pull.
    ///
    /// # Errors
    /// Any error ends the run.
    fn prepare(&mut self, task: &TaskInfo) -> impl Future<Output = Result<()>> + Send {
        let _ = task;
        async { Ok(()) }
    }

    /// Waits for the next run of at most `max` tuples; `None` when there is none left. While runs are in flight the
    /// spout is asked again after each `settle`, so that it can replay what failed; `None` with nothing in flight is
    /// the end.
    ///
    /// **Cancel-safe**: the runtime drops the future whenever outcomes arrive, a tick is due or the run stops,
    /// and calls again. Nothing may be taken from the source that is lost with the future.
    ///
    /// # Errors
    /// [`Class::Retryable`] is tried again after a back-off, within the bound of the settings; any other
    /// error ends the run, with what is in flight drained.
    fn next_batch(&mut self, max: usize) -> impl Future<Output = Result<Option<Pulled<Self::Out>>>> + Send;

    /// Whether the run just pulled must be the only one in flight: to find out which record is at fault. Asked after
    /// each pull; while it holds, nothing else of this task is under way.
    fn alone(&self) -> bool {
        false
    }

    /// Whether a partition is still this task's, as of `epoch`. What the task has in flight of one that is not is
    /// forgotten: whoever has it now reads it again.
    fn owns(&self, partition: u32, epoch: u32) -> bool {
        let _ = (partition, epoch);
        true
    }

    /// Runs that are done, in the order in which they settled. A spout that can replay does so from a later
    /// `next_batch`; one that cannot may ignore failures: the run then ends with a status that tells.
    ///
    /// # Errors
    /// Any error ends the run.
    fn settle(&mut self, outcomes: &[Outcome]) -> impl Future<Output = Result<()>> + Send {
        let _ = outcomes;
        async { Ok(()) }
    }

    /// How many records are waiting behind the last one pulled, by partition, if that is known.
    fn lag(&self) -> Vec<(u32, u64)> {
        Vec::new()
    }

    /// Called once, after the last outcome was settled or the drain deadline passed.
    ///
    /// # Errors
    /// Any error is reported in the run's status.
    fn close(&mut self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}
