//! What travels over an edge.

use super::Shares;

/// Tuples on their way, with the shares that answer for them.
#[derive(Debug)]
pub struct Batch<T> {
    /// The tuples, in order.
    pub tuples: Vec<T>,
    /// Shares in the trees they were derived from.
    pub shares: Shares,
    /// When the batch was put on an edge, nanoseconds on the run's clock.
    pub sent_ns: u64,
}

impl<T> Batch<T> {
    /// A batch that has not been sent yet.
    pub fn new(tuples: Vec<T>, shares: Shares) -> Self {
        Self { tuples, shares, sent_ns: 0 }
    }
}
