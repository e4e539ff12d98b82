//! One stream made two.

use std::sync::Arc;

use super::catch::fused;
use super::{Host, Output, Push, Signal};
use crate::topology::{Batch, BoxFuture, Data, Either, Flow};

/// Sends each tuple left or right.
pub(in crate::topology) struct SplitPush<F, C, A, B> {
    pub(in crate::topology) flow: F,
    pub(in crate::topology) choose: C,
    pub(in crate::topology) left: Output<A>,
    pub(in crate::topology) right: Output<B>,
    pub(in crate::topology) host: Arc<dyn Host>,
}

impl<F, C, A, B> Push<F::In> for SplitPush<F, C, A, B>
where
    F: Flow,
    C: FnMut(F::Out) -> Either<A, B> + Send,
    A: Data,
    B: Data,
{
    fn push(&mut self, batch: Batch<F::In>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (mut left, mut right) = (Vec::with_capacity(batch.tuples.len()), Vec::new());
            let (flow, choose) = (&mut self.flow, &mut self.choose);
            let split = fused(&*self.host, batch.shares, || {
                for tuple in batch.tuples {
                    flow.each(tuple, &mut |t| match choose(t) {
                        Either::Left(a) => left.push(a),
                        Either::Right(b) => right.push(b),
                    });
                }
            });
            let Some(((), shares)) = split else { return };
            if right.is_empty() {
                return self.left.push(Batch::new(left, shares)).await;
            }
            self.left.push(Batch::new(left, shares.split())).await;
            self.right.push(Batch::new(right, shares)).await;
        })
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.left.signal(signal).await;
            self.right.signal(signal).await;
        })
    }

    fn next_due(&self) -> Option<u64> {
        [self.left.next_due(), self.right.next_due()].into_iter().flatten().min()
    }
}
