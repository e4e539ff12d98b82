//! One stream made two.

use super::{Output, Push, Signal};
use crate::topology::{Batch, BoxFuture, Data, Either, Flow};

/// Sends each tuple left or right.
pub(in crate::topology) struct SplitPush<F, C, A, B> {
    pub(in crate::topology) flow: F,
    pub(in crate::topology) choose: C,
    pub(in crate::topology) left: Output<A>,
    pub(in crate::topology) right: Output<B>,
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
            for tuple in batch.tuples {
                let choose = &mut self.choose;
                self.flow.each(tuple, &mut |t| match choose(t) {
                    Either::Left(a) => left.push(a),
                    Either::Right(b) => right.push(b),
                });
            }
            if right.is_empty() {
                return self.left.push(Batch::new(left, batch.shares)).await;
            }
            self.left.push(Batch::new(left, batch.shares.split())).await;
            self.right.push(Batch::new(right, batch.shares)).await;
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
