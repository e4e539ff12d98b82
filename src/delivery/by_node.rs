//! Has every node of a store written to by itself.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{Codec, Parcel, SinkState};
use crate::topology::{Class, Data, Error, Rejected, Result, Sink, TaskInfo};

/// Divides the rows of a write among the nodes of the store and writes to all of them at once, each through a stack of its
/// own: a node that hangs or fails is one that its own breaker, time-out and parked records know, and the rows of the
/// others are stored meanwhile. A store of one node is written to as if this were not there.
///
/// Fresh rows do not ask a node that wants to be tried, as long as those that come back do.
pub(super) struct ByNode<S, T> {
    state: Arc<SinkState>,
    codec: Codec<T>,
    /// By node; at least one.
    stacks: Box<[S]>,
}

/// The rows of a write that are for one node, and where they stand in it.
struct Share<'a, T> {
    at: Vec<usize>,
    rows: Vec<&'a Arc<Parcel<T>>>,
}

impl<T> Default for Share<'_, T> {
    fn default() -> Self {
        Self { at: Vec::new(), rows: Vec::new() }
    }
}

impl<S: Sink<In = Arc<Parcel<T>>>, T> ByNode<S, T> {
    /// `stack` makes that of a node.
    pub(super) fn new(state: Arc<SinkState>, codec: Codec<T>, stack: impl Fn(usize) -> S) -> Self {
        let stacks = (0..state.nodes()).map(stack).collect();
        Self { state, codec, stacks }
    }
}

impl<S: Clone, T> Clone for ByNode<S, T> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), codec: self.codec.clone(), stacks: self.stacks.clone() }
    }
}

impl<S, T> Sink for ByNode<S, T>
where
    T: Data + Sync,
    S: Sink<In = Arc<Parcel<T>>>,
{
    type In = Arc<Parcel<T>>;

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        for stack in &mut self.stacks {
            stack.prepare(task).await?;
        }
        Ok(())
    }

    async fn write(&mut self, rows: &[&Arc<Parcel<T>>]) -> Result<Rejected> {
        if let [only] = &mut *self.stacks {
            return write_node(&self.state, 0, only, rows).await;
        }
        let mut shares: Vec<Share<'_, T>> = self.stacks.iter().map(|_| Share::default()).collect();
        for (at, row) in rows.iter().enumerate() {
            let share = &mut shares[self.codec.node_of(&row.value)];
            share.at.push(at);
            share.rows.push(row);
        }
        let state = &*self.state;
        let nodes = self.stacks.iter_mut().zip(&shares).enumerate();
        let written = nodes.filter(|(_, (_, share))| !share.at.is_empty());
        let writes = written.map(|(node, (stack, share))| async move {
            (&share.at, write_node(state, node, stack, &share.rows).await)
        });
        together(join_all(writes).await)
    }

    fn size_of(&self, tuple: &Arc<Parcel<T>>) -> usize {
        self.stacks[0].size_of(tuple)
    }

    async fn close(&mut self) -> Result<()> {
        // Each has something to close, whatever the others say.
        let mut closed = Ok(());
        for stack in &mut self.stacks {
            closed = closed.and(stack.close().await);
        }
        closed
    }
}

async fn write_node<T, S>(
    state: &SinkState,
    node: usize,
    stack: &mut S,
    rows: &[&Arc<Parcel<T>>],
) -> Result<Rejected>
where
    Arc<Parcel<T>>: Data,
    S: Sink<In = Arc<Parcel<T>>>,
{
    let fresh = rows.iter().any(|row| row.past.first_failure_ms.is_none());
    if fresh && state.leaves_probes_to_retries(node) {
        return Err(Error::new(Class::Refused, format!("{} is being tried with other rows", state.name())));
    }
    stack.write(rows).await
}

/// What became of the whole write, from what became of the rows at these places.
///
/// A node that failed has failed for its own rows. Rows that are poison together are told apart by the runtime, with
/// halves of the write; what ends the run ends it.
fn together(written: Vec<(&Vec<usize>, Result<Rejected>)>) -> Result<Rejected> {
    let mut all = Vec::new();
    for (at, result) in written {
        match result {
            Ok(rejected) => all.extend(rejected.into_iter().map(|(row, error)| (at[row], error))),
            Err(error) if error.class() == Class::Fatal => return Err(error),
            Err(error) if error.class() == Class::Poison && at.len() > 1 => return Err(error),
            Err(error) => {
                let (class, reason) = (error.class(), error.chain());
                all.extend(at.iter().map(|row| (*row, Error::new(class, reason.clone()))));
            }
        }
    }
    Ok(all.into_iter().collect())
}
