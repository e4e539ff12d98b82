//! The outgoing edges of an operator.

use super::{Push, Signal};
use crate::topology::{Batch, Data};

/// Copies tuples for a second edge; exists only for types that are `Clone`.
pub(in crate::topology) type Duplicate<T> = fn(&[T]) -> Vec<T>;

/// All edges that leave an operator, as one task of it sees them.
pub(in crate::topology) struct Output<T> {
    edges: Vec<Box<dyn Push<T>>>,
    duplicate: Option<Duplicate<T>>,
}

impl<T: Data> Output<T> {
    pub(in crate::topology) fn new(edges: Vec<Box<dyn Push<T>>>, duplicate: Option<Duplicate<T>>) -> Self {
        Self { edges, duplicate }
    }

    /// Hands a batch to every edge. Without an edge the tuples end here, and are done.
    pub(super) async fn push(&mut self, batch: Batch<T>) {
        if batch.tuples.is_empty() {
            return batch.shares.ack();
        }
        let Some((last, others)) = self.edges.split_last_mut() else {
            return batch.shares.ack();
        };
        for edge in others {
            let duplicate = self.duplicate.expect("a second edge comes from cloning the stream, which sets this");
            edge.push(Batch::new(duplicate(&batch.tuples), batch.shares.split())).await;
        }
        last.push(batch).await;
    }

    pub(super) async fn signal(&mut self, signal: Signal) {
        for edge in &mut self.edges {
            edge.signal(signal).await;
        }
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        self.edges.iter().filter_map(|edge| edge.next_due()).min()
    }
}
