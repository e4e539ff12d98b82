//! What is put to the test.

use std::sync::Arc;

use crate::store::Timelines;
use crate::store::timeline::Limits;
use crate::topology::BoxFuture;

/// A kind of timelines under test.
pub trait Subject: Send {
    /// A store that is empty, with these limits.
    fn fresh(&mut self, limits: Limits) -> BoxFuture<'_, Arc<dyn Timelines>>;

    /// The store of the last [`fresh`](Self::fresh) after a restart of whatever keeps it; the caller has dropped
    /// everything that it had from it. `None` when it keeps nothing.
    fn restart(&mut self) -> BoxFuture<'_, Option<Arc<dyn Timelines>>>;
}
