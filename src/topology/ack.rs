//! Acknowledgement: shares in the trees of spout batches.
//!
//! A *tree* is opened for each run that a spout pulls. Every batch derived from it carries a *share*; splitting
//! a batch by key gives each part one. When the last share is gone the tree settles: acked if every share was
//! acked, failed if any was failed **or dropped**. A panic, an aborted task, a refused send all drop shares, so
//! none of them can acknowledge anything.
//!
//! The reference count of the tree is the counter: no messages, no ledger of ids, one atomic increment and
//! decrement per share, and shares exist per batch, not per tuple.

use std::sync::OnceLock;

use smallvec::SmallVec;

use super::Class;
use super::sync::{Arc, AtomicU8, Ordering};

/// Identifies a tree to the ledger that opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Partition of the run.
    pub partition: u32,
    /// Epoch of the partition's assignment.
    pub epoch: u32,
    /// End of the run.
    pub end: u64,
    /// Unique within the ledger: tells a replay from the try before it.
    pub serial: u64,
}

/// How a tree failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The worst class that any of its shares met.
    pub class: Class,
    /// Whether that share's batch held tuples of this tree alone. Otherwise the tuple at fault may be another
    /// tree's: poison is then a suspicion, not a verdict.
    pub isolated: bool,
    /// What the first operator that found poison said of it: its name and the chain of causes. `None` for other
    /// failures.
    pub reason: Option<Box<str>>,
}

/// Is told, once per tree and on whatever thread let the last share go, how it ended.
pub trait Ledger: Send + Sync {
    /// `failed` is the worst failure any share met; `None` when all were acked. Must not block.
    fn settled(&self, ticket: Ticket, failed: Option<Failure>);

    /// Whose ledger it is: the spout's name.
    fn name(&self) -> &str;
}

struct Tree {
    ticket: Ticket,
    /// 0 while nothing failed, otherwise the code of the worst class so far.
    failed: AtomicU8,
    /// Written by a share before it is gone, at most once; a thing of the slow path.
    reason: OnceLock<Box<str>>,
    ledger: std::sync::Arc<dyn Ledger>,
}

impl Drop for Tree {
    fn drop(&mut self) {
        // The decrement that brought us here synchronises with all others: a relaxed load sees every store.
        let code = self.failed.load(Ordering::Relaxed);
        let reason = self.reason.take();
        let failed = failure_of(code).map(|(class, isolated)| Failure { class, isolated, reason });
        self.ledger.settled(self.ticket, failed);
    }
}

/// Worse failures have greater codes; only poison is told apart by isolation.
fn code_of(class: Class, isolated: bool) -> u8 {
    match (class, isolated) {
        (Class::Refused, _) => 1,
        (Class::Retryable, _) => 2,
        (Class::Poison, false) => 3,
        (Class::Poison, true) => 4,
        (Class::Fatal, _) => 5,
    }
}

fn failure_of(code: u8) -> Option<(Class, bool)> {
    match code {
        0 => None,
        1 => Some((Class::Refused, false)),
        2 => Some((Class::Retryable, false)),
        3 => Some((Class::Poison, false)),
        4 => Some((Class::Poison, true)),
        _ => Some((Class::Fatal, false)),
    }
}

struct Share {
    tree: Arc<Tree>,
    acked: bool,
}

impl Share {
    fn of(tree: &Arc<Tree>) -> Self {
        Self { tree: tree.clone(), acked: false }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if !self.acked {
            // Dropped without a verdict: the work was lost, the tuple itself is not to blame.
            self.tree.failed.fetch_max(code_of(Class::Retryable, false), Ordering::Relaxed);
        }
    }
}

/// Shares in the trees that a batch was derived from; usually exactly one. Dropping them without
/// [`ack`](Self::ack) fails their trees.
#[derive(Default)]
#[must_use = "shares that are dropped fail their trees"]
pub struct Shares(SmallVec<[Share; 1]>);

impl Shares {
    /// Opens a tree and returns its first share.
    pub fn open(ticket: Ticket, ledger: std::sync::Arc<dyn Ledger>) -> Self {
        let tree = Arc::new(Tree { ticket, failed: AtomicU8::new(0), reason: OnceLock::new(), ledger });
        Self(smallvec::smallvec![Share { tree, acked: false }])
    }

    /// Further shares in the same trees.
    pub fn split(&self) -> Self {
        Self(self.0.iter().map(|share| Share::of(&share.tree)).collect())
    }

    /// Adds shares in the trees of `other` that are not among these yet.
    pub fn join(&mut self, other: &Shares) {
        for share in &other.0 {
            // A batch gathers from few trees and mostly from the latest: look from the back.
            if !self.0.iter().rev().any(|own| Arc::ptr_eq(&own.tree, &share.tree)) {
                self.0.push(Share::of(&share.tree));
            }
        }
    }

    /// This part of the work is done.
    pub fn ack(mut self) {
        for share in &mut self.0 {
            share.acked = true;
        }
    }

    /// This part of the work failed; the worst class of all parts is the tree's. Where the part belongs to several
    /// trees, none of them is blamed alone.
    pub fn fail(mut self, class: Class) {
        let code = code_of(class, self.len() == 1);
        for share in &mut self.0 {
            share.tree.failed.fetch_max(code, Ordering::Relaxed);
            share.acked = true;
        }
    }

    /// [`fail`](Self::fail), with the reason that the ledger is to hear if it is poison.
    pub fn fail_because(self, class: Class, reason: &str) {
        if class == Class::Poison {
            for share in &self.0 {
                share.tree.reason.get_or_init(|| reason.into());
            }
        }
        self.fail(class);
    }

    /// The runs they derive from, for people: spout, partition, end of the run.
    pub fn describe(&self) -> String {
        let runs = self.0.iter().map(|share| {
            let Ticket { partition, end, .. } = share.tree.ticket;
            format!("{}[{partition}] run before {end}", share.tree.ledger.name())
        });
        runs.collect::<Vec<_>>().join(", ")
    }

    /// Number of trees.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Shares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|share| share.tree.ticket)).finish()
    }
}

/// Keeps inputs open beyond the call that brought them: for windows and joins. Filled by
/// [`Emitter::hold`](super::Emitter::hold), let go by [`ack`](Hold::ack) once what was emitted for it is
/// staged. Dropped, it fails the inputs it holds.
///
/// A clone holds nothing: prototypes are cloned per task, and start empty.
#[derive(Debug, Default)]
pub struct Hold(pub(super) Shares);

impl Hold {
    /// Lets the inputs go; each settles when everything emitted for it has.
    pub fn ack(&mut self) {
        std::mem::take(&mut self.0).ack();
    }

    /// Number of spout runs held open.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        Self::default()
    }
}
