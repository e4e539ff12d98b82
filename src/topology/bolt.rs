//! What is done to tuples.

use std::future::Future;
use std::time::Duration;

use super::{Data, Emitter, Halt, Result, TaskInfo};

/// A step that may wait, fail, hold state and emit any number of tuples.
///
/// For a step that does none of that, use the closures of [`Stream`](super::Stream): they fuse into the edge.
///
/// The runtime clones the prototype once per task, and again after a panic (the panicked state is dropped).
/// Everything is called on the task's own loop. What a call emits is staged and leaves only when it returns
/// `Ok`, so a call that is tried again never publishes twice.
///
/// ```
/// use squall::{Bolt, Emitter, Result};
///
/// #[derive(Clone)]
/// struct Words;
///
/// impl Bolt for Words {
///     type In = String;
///     type Out = String;
///     async fn execute(&mut self, line: &String, out: &mut Emitter<String>) -> Result<()> {
///         for word in line.split_whitespace() {
///             out.emit(word.to_owned());
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Bolt: Clone + Send + 'static {
    /// What it takes.
    type In: Data;
    /// What it emits.
    type Out: Data;

    /// Called once per task, before the first tuple, and again after a panic replaced the state.
    ///
    /// # Errors
    /// Any error ends the run.
    fn prepare(&mut self, task: &TaskInfo) -> impl Future<Output = Result<()>> + Send {
        let _ = task;
        async { Ok(()) }
    }

    /// Handles one tuple. Its input is acknowledged when everything emitted from it is; to keep it open
    /// longer, see [`Emitter::hold`].
    ///
    /// # Errors
    /// `Retryable` is tried again in place with back-off, up to the operator's bound, then fails the tuple's
    /// tree. `Poison` goes to the operator's rejected stream when it was built with
    /// [`Stream::try_bolt`](super::Stream::try_bolt), and fails the tree otherwise. `Fatal` ends the run.
    fn execute(
        &mut self,
        tuple: &Self::In,
        out: &mut Emitter<Self::Out>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Handles a batch. Override it for one look-up a batch, or in a hot loop to save the cost of a future
    /// per tuple (about 2 ns).
    ///
    /// # Errors
    /// [`Halt`] at the row that failed, with nothing emitted for it and the rows after it.
    fn execute_batch(
        &mut self,
        rows: &[Self::In],
        out: &mut Emitter<Self::Out>,
    ) -> impl Future<Output = Result<(), Halt>> + Send {
        async move {
            for (at, row) in rows.iter().enumerate() {
                let mark = out.mark();
                if let Err(error) = self.execute(row, out).await {
                    out.rewind(mark);
                    return Err(Halt { at, error });
                }
            }
            Ok(())
        }
    }

    /// How often [`tick`](Self::tick) is wanted; the configuration may say otherwise. `None` = never.
    fn tick_every(&self) -> Option<Duration> {
        None
    }

    /// Called at the tick interval between batches, also while no tuples come.
    ///
    /// # Errors
    /// As for [`execute`](Self::execute); a tick has no tuple to blame, so `Poison` ends the run.
    fn tick(&mut self, out: &mut Emitter<Self::Out>) -> impl Future<Output = Result<()>> + Send {
        let _ = out;
        async { Ok(()) }
    }

    /// Called once, after the last tuple: the place to emit what is still held.
    ///
    /// # Errors
    /// Any error is reported in the run's status.
    fn close(&mut self, out: &mut Emitter<Self::Out>) -> impl Future<Output = Result<()>> + Send {
        let _ = out;
        async { Ok(()) }
    }
}
