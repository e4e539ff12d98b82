//! The end of a task: tuples leave it for the inboxes of others.

use std::sync::Arc;

use async_channel::Sender;
use smallvec::SmallVec;

use super::catch::fused;
use super::{Host, Push, Signal};
use crate::topology::{Batch, Bounds, BoxFuture, Data, Flow, Grouping, Shares};

/// The way to one downstream task, and what waits on it for company.
pub(in crate::topology) struct Part<T> {
    inbox: Sender<Batch<T>>,
    tuples: Vec<T>,
    shares: Shares,
}

impl<T: Data> Part<T> {
    pub(in crate::topology) fn new(inbox: Sender<Batch<T>>) -> Self {
        Self { inbox, tuples: Vec::new(), shares: Shares::default() }
    }

    /// Sends a batch, waiting while the inbox is full. A task that is gone drops the batch, which fails its trees.
    async fn send(&self, tuples: Vec<T>, shares: Shares, sent_ns: u64) {
        let _refused = self.inbox.send(Batch { tuples, shares, sent_ns }).await;
    }

    async fn flush(&mut self, room: usize, sent_ns: u64) {
        if !self.tuples.is_empty() {
            let tuples = std::mem::replace(&mut self.tuples, Vec::with_capacity(room));
            let shares = std::mem::take(&mut self.shares);
            self.send(tuples, shares, sent_ns).await;
        }
    }
}

/// Whole batches, to tasks in turn or always to the first: nothing waits here.
pub(in crate::topology) struct Deal<F: Flow> {
    flow: F,
    parts: Vec<Part<F::Out>>,
    next: usize,
    in_turn: bool,
    host: Arc<dyn Host>,
}

impl<F: Flow> Deal<F> {
    /// Tasks in turn; `offset` makes upstream tasks begin at different ones.
    pub(in crate::topology) fn in_turn(
        flow: F,
        parts: Vec<Part<F::Out>>,
        offset: usize,
        host: Arc<dyn Host>,
    ) -> Self {
        Self { flow, next: offset % parts.len(), parts, in_turn: true, host }
    }

    /// Always to task 0.
    pub(in crate::topology) fn to_first(flow: F, parts: Vec<Part<F::Out>>, host: Arc<dyn Host>) -> Self {
        Self { flow, next: 0, parts, in_turn: false, host }
    }
}

impl<F: Flow> Push<F::In> for Deal<F> {
    fn push(&mut self, batch: Batch<F::In>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let flow = &mut self.flow;
            let Some((tuples, shares)) = fused(&*self.host, batch.shares, || flow.all(batch.tuples)) else {
                return;
            };
            if tuples.is_empty() {
                return shares.ack();
            }
            let part = &self.parts[self.next];
            if self.in_turn {
                self.next = (self.next + 1) % self.parts.len();
            }
            part.send(tuples, shares, self.host.now_ns()).await;
        })
    }

    fn signal(&mut self, _: Signal) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn next_due(&self) -> Option<u64> {
        None
    }
}

/// Every tuple to the task that a grouping chooses. What each task gets waits for company: until a batch is full,
/// the sender's inbox is empty, or the linger is over.
pub(in crate::topology) struct Scatter<F: Flow, G> {
    flow: F,
    grouping: G,
    parts: Vec<Part<F::Out>>,
    batch: usize,
    linger_ns: u64,
    /// When the oldest tuple that waits here came.
    since: Option<u64>,
    host: Arc<dyn Host>,
}

impl<F: Flow, G: Grouping<F::Out>> Scatter<F, G> {
    pub(in crate::topology) fn new(
        flow: F,
        grouping: G,
        parts: Vec<Part<F::Out>>,
        bounds: &Bounds,
        host: Arc<dyn Host>,
    ) -> Self {
        let linger_ns = bounds.edge_linger.as_nanos() as u64;
        Self { flow, grouping, parts, batch: bounds.batch, linger_ns, since: None, host }
    }

    async fn flush(&mut self, at_least: usize) {
        let (room, now) = (self.batch + self.batch / 4, self.host.now_ns());
        let mut waiting = false;
        for part in &mut self.parts {
            if part.tuples.len() >= at_least {
                part.flush(room, now).await;
            }
            waiting |= !part.tuples.is_empty();
        }
        self.since = if waiting { self.since.or(Some(now)) } else { None };
    }
}

impl<F: Flow, G: Grouping<F::Out>> Push<F::In> for Scatter<F, G> {
    fn push(&mut self, batch: Batch<F::In>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let tasks = self.parts.len();
            let (parts, grouping) = (&mut self.parts, &mut self.grouping);
            let before: SmallVec<[usize; 16]> = parts.iter().map(|part| part.tuples.len()).collect();
            let flow = &mut self.flow;
            let scattered = fused(&*self.host, batch.shares, || {
                for tuple in batch.tuples {
                    flow.each(tuple, &mut |t| {
                        let mut to = grouping.choose(&t, tasks);
                        if to >= tasks {
                            to %= tasks;
                        }
                        parts[to].tuples.push(t);
                    });
                }
            });
            let Some(((), shares)) = scattered else {
                return parts.iter_mut().zip(before).for_each(|(part, before)| part.tuples.truncate(before));
            };
            for (part, before) in parts.iter_mut().zip(before) {
                if part.tuples.len() > before {
                    part.shares.join(&shares);
                }
            }
            shares.ack();
            self.flush(self.batch).await;
        })
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let due = signal != Signal::Timer || self.next_due().is_some_and(|due| due <= self.host.now_ns());
            if due {
                self.flush(1).await;
            }
        })
    }

    /// Without a linger what waits leaves when the inbox is empty, which `Idle` says.
    fn next_due(&self) -> Option<u64> {
        self.since.filter(|_| self.linger_ns > 0).map(|since| since + self.linger_ns)
    }
}

/// Every batch to every task.
pub(in crate::topology) struct Broadcast<F: Flow> {
    flow: F,
    parts: Vec<Part<F::Out>>,
    host: Arc<dyn Host>,
}

impl<F: Flow> Broadcast<F> {
    pub(in crate::topology) fn new(flow: F, parts: Vec<Part<F::Out>>, host: Arc<dyn Host>) -> Self {
        Self { flow, parts, host }
    }
}

impl<F: Flow> Push<F::In> for Broadcast<F>
where
    F::Out: Clone,
{
    fn push(&mut self, batch: Batch<F::In>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let flow = &mut self.flow;
            let Some((tuples, shares)) = fused(&*self.host, batch.shares, || flow.all(batch.tuples)) else {
                return;
            };
            if tuples.is_empty() {
                return shares.ack();
            }
            let Some((last, others)) = self.parts.split_last() else {
                return shares.ack();
            };
            let now = self.host.now_ns();
            for part in others {
                part.send(tuples.clone(), shares.split(), now).await;
            }
            last.send(tuples, shares, now).await;
        })
    }

    fn signal(&mut self, _: Signal) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn next_due(&self) -> Option<u64> {
        None
    }
}
