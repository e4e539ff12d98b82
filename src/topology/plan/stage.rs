//! A task with an inbox.

use std::sync::Arc;

use async_channel::{Receiver, Sender, TryRecvError};

use super::{Host, Push, Signal};
use crate::topology::{Batch, BoxFuture, Data};

/// What [`Stage::try_take`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A batch, to be handled by [`Stage::step`].
    Batch,
    /// Nothing at the moment.
    Empty,
    /// Nothing ever again.
    Closed,
}

/// Answers how many batches wait in front of a task; from any thread, as long as the task lives.
pub type Depth = Box<dyn Fn() -> usize + Send + Sync>;

/// A task with an inbox, erased. Driven by one loop.
pub trait Stage: Send {
    /// Takes a batch off the inbox, without waiting.
    fn try_take(&mut self) -> Taken;

    /// Waits until there is something to take. Cancel-safe.
    fn ready(&mut self) -> BoxFuture<'_, ()>;

    /// Handles the batch that was taken.
    fn step(&mut self) -> BoxFuture<'_, ()>;

    /// Passes a signal to every operator of the task.
    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()>;

    /// When the next [`Signal::Timer`] is wanted.
    fn next_due(&self) -> Option<u64>;

    /// The gauge of the inbox.
    fn depth(&self) -> Depth;
}

/// The bounded inbox of one task, shared by the edges that fill it.
pub(in crate::topology) type Mailbox<T> = (Sender<Batch<T>>, Receiver<Batch<T>>);

/// A [`Stage`] of tuples `T`.
pub(in crate::topology) struct Inbox<T> {
    inbox: Receiver<Batch<T>>,
    taken: Option<Batch<T>>,
    work: Box<dyn Push<T>>,
    host: Arc<dyn Host>,
}

impl<T: Data> Inbox<T> {
    pub(in crate::topology) fn new(
        inbox: Receiver<Batch<T>>,
        work: Box<dyn Push<T>>,
        host: Arc<dyn Host>,
    ) -> Self {
        Self { inbox, taken: None, work, host }
    }
}

impl<T: Data> Stage for Inbox<T> {
    fn try_take(&mut self) -> Taken {
        if self.taken.is_some() {
            return Taken::Batch;
        }
        match self.inbox.try_recv() {
            Ok(batch) => {
                self.taken = Some(batch);
                Taken::Batch
            }
            Err(TryRecvError::Empty) => Taken::Empty,
            Err(TryRecvError::Closed) => Taken::Closed,
        }
    }

    fn ready(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.taken.is_none() {
                // An error means closed, which the next `try_take` says.
                self.taken = self.inbox.recv().await.ok();
            }
        })
    }

    fn step(&mut self) -> BoxFuture<'_, ()> {
        match self.taken.take() {
            Some(batch) => {
                self.host.waited(self.host.now_ns().saturating_sub(batch.sent_ns));
                self.work.push(batch)
            }
            None => Box::pin(async {}),
        }
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()> {
        self.work.signal(signal)
    }

    fn next_due(&self) -> Option<u64> {
        self.work.next_due()
    }

    fn depth(&self) -> Depth {
        let inbox = self.inbox.downgrade();
        Box::new(move || inbox.upgrade().map_or(0, |inbox| inbox.len()))
    }
}
