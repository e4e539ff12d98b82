//! Where tuples end, and what can be put round it.

use std::future::Future;

use super::{BoxFuture, Data, Error, Result, TaskInfo};

/// Rows of a batch that were not stored, each with its reason, by ascending index. All others were.
#[derive(Debug, Default)]
pub struct Rejected(Vec<(usize, Error)>);

impl Rejected {
    /// Every row was stored.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether every row was stored.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of rows that were not stored.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The rows that were not stored.
    pub fn iter(&self) -> impl Iterator<Item = &(usize, Error)> {
        self.0.iter()
    }
}

impl FromIterator<(usize, Error)> for Rejected {
    fn from_iter<I: IntoIterator<Item = (usize, Error)>>(rows: I) -> Self {
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|(at, _)| *at);
        Self(rows)
    }
}

impl IntoIterator for Rejected {
    type Item = (usize, Error);
    type IntoIter = std::vec::IntoIter<(usize, Error)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Stores tuples. The runtime clones the prototype once per task (lane) and calls everything on that task;
/// lanes share what they need through an `Arc`.
///
/// A write may be repeated: after an error, a time-out or a crash the same rows come again, so a sink must be
/// idempotent, or say that it is not.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// use squall::{Rejected, Result, Sink};
///
/// #[derive(Clone, Default)]
/// struct Sum(Arc<AtomicU64>);
///
/// impl Sink for Sum {
///     type In = u64;
///     async fn write(&mut self, rows: &[&u64]) -> Result<Rejected> {
///         self.0.fetch_add(rows.iter().copied().sum(), Ordering::Relaxed);
///         Ok(Rejected::none())
///     }
/// }
/// ```
pub trait Sink: Clone + Send + 'static {
    /// What it takes.
    type In: Data;

    /// Called once per task, before the first write.
    ///
    /// # Errors
    /// Any error ends the run.
    fn prepare(&mut self, task: &TaskInfo) -> impl Future<Output = Result<()>> + Send {
        let _ = task;
        async { Ok(()) }
    }

    /// Stores a batch: up to the operator's rows, bytes and linger, in the order in which the tuples came.
    /// `Ok` means that every row not listed is durable.
    ///
    /// Not cancelled by the runtime; a time-out layer may drop it, after which its outcome is unknown.
    ///
    /// # Errors
    /// An error means that nothing is known to be stored. `Retryable` is tried again in place with back-off
    /// up to the operator's bound, then fails the rows' trees; `Poison` fails them at once; `Fatal` ends the
    /// run. A [`Rejected`] row fails its tree by its own class.
    fn write(&mut self, rows: &[&Self::In]) -> impl Future<Output = Result<Rejected>> + Send;

    /// Size of a tuple in bytes, for the byte bound of a batch.
    fn size_of(&self, tuple: &Self::In) -> usize {
        size_of_val(tuple)
    }

    /// Called once, after the last write.
    ///
    /// # Errors
    /// Any error is reported in the run's status.
    fn close(&mut self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

/// Wraps a sink in another: a retry, a switch, a time-out, each a small sink of its own.
pub trait Layer<S: Sink> {
    /// The sink that comes of it.
    type Sink: Sink<In = S::In>;

    /// Wraps `inner`.
    fn layer(self, inner: S) -> Self::Sink;
}

/// What every sink can do.
pub trait SinkExt: Sink {
    /// Puts `layer` round this sink.
    fn layer<L: Layer<Self>>(self, layer: L) -> L::Sink {
        layer.layer(self)
    }

    /// Erases the type, for a sink that configuration chooses. Costs one boxed future a write.
    fn boxed(self) -> BoxSink<Self::In> {
        BoxSink(Box::new(self))
    }
}

impl<S: Sink> SinkExt for S {}

/// A sink whose type was erased by [`SinkExt::boxed`].
pub struct BoxSink<T>(Box<dyn ErasedSink<T>>);

impl<T> Clone for BoxSink<T> {
    fn clone(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl<T: Data> Sink for BoxSink<T> {
    type In = T;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        self.0.prepare(task).await
    }

    async fn write(&mut self, rows: &[&T]) -> Result<Rejected> {
        self.0.write(rows).await
    }

    fn size_of(&self, tuple: &T) -> usize {
        self.0.size_of(tuple)
    }

    async fn close(&mut self) -> Result<()> {
        self.0.close().await
    }
}

trait ErasedSink<T>: Send {
    fn prepare<'a>(&'a mut self, task: &'a TaskInfo) -> BoxFuture<'a, Result<()>>;
    fn write<'a>(&'a mut self, rows: &'a [&'a T]) -> BoxFuture<'a, Result<Rejected>>;
    fn size_of(&self, tuple: &T) -> usize;
    fn close(&mut self) -> BoxFuture<'_, Result<()>>;
    fn duplicate(&self) -> Box<dyn ErasedSink<T>>;
}

impl<S: Sink> ErasedSink<S::In> for S {
    fn prepare<'a>(&'a mut self, task: &'a TaskInfo) -> BoxFuture<'a, Result<()>> {
        Box::pin(Sink::prepare(self, task))
    }

    fn write<'a>(&'a mut self, rows: &'a [&'a S::In]) -> BoxFuture<'a, Result<Rejected>> {
        Box::pin(Sink::write(self, rows))
    }

    fn size_of(&self, tuple: &S::In) -> usize {
        Sink::size_of(self, tuple)
    }

    fn close(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(Sink::close(self))
    }

    fn duplicate(&self) -> Box<dyn ErasedSink<S::In>> {
        Box::new(self.clone())
    }
}
