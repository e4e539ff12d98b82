//! What a runtime lends to the operators of a plan.

use std::any::Any;

use crate::topology::{BoxFuture, Class, Error};

/// A failure, as it is reported: which tuple, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Who has to act on it.
    pub class: Class,
    /// Whether the operator panicked.
    pub panicked: bool,
    /// Where the tuple came from: its record's origin if it is one, otherwise the spout runs it derives from.
    pub origin: String,
    /// The chain of causes, or the panic's message.
    pub reason: String,
}

/// A failure that a test asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Fail with this class.
    Fail(Class),
    /// Panic.
    Panic,
}

/// What a runtime lends to one task of one operator. Calls come from that task's loop only, once or a few times a
/// batch.
pub trait Host: Send + Sync {
    /// The operator's name.
    fn operator(&self) -> &str;

    /// Nanoseconds since the run began.
    fn now_ns(&self) -> u64;

    /// A batch waited this long in front of the task.
    fn waited(&self, ns: u64);

    /// `rows` tuples were handled, in this long.
    fn executed(&self, rows: usize, ns: u64);

    /// `rows` tuples were put on the outgoing edges.
    fn emitted(&self, rows: usize);

    /// A tuple failed for good in this operator.
    fn failed(&self, incident: Incident);

    /// A try failed and may be repeated: waits out the back-off of the `attempt`th try (from 1) and says whether to
    /// go on. `false` when the bound is reached.
    fn back_off<'a>(&'a self, attempt: u32, error: &'a Error) -> BoxFuture<'a, bool>;

    /// The run must stop and end with this error.
    fn fatal(&self, error: Error);

    /// Whether [`fault`](Self::fault) may ever answer: false outside tests, so that nobody asks per tuple.
    fn has_faults(&self) -> bool {
        false
    }

    /// The failure that a test wants for this tuple.
    fn fault(&self, tuple: &dyn Any) -> Option<Fault> {
        let _ = tuple;
        None
    }
}
