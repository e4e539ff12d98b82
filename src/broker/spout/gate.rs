//! What decides when records may go on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::broker::LogRecord;
use crate::topology::BoxFuture;

/// Decides when records that a spout has read may go on. Shared by the tasks of the spout.
///
/// What is not let on costs no memory: its partition is paused at the first such record, and read again from there when
/// it is asked about again. The other partitions go on. Records that come again after a failure are asked about like
/// fresh ones.
///
/// An answer is asked for at every reading, so it must not be used up by asking: a gate that meters counts what it has
/// let on, and knows that several gates may let on less than it did.
pub trait Gate: Send + Sync + 'static {
    /// Of `records` (one partition, in order, never empty): how many may go on now, and after how long at most the first
    /// of the others is asked about again. Must not block.
    fn admit(&self, records: &[LogRecord]) -> Admission;

    /// Resolves when the answer may have changed earlier than it said: whatever waits at this gate is asked about again.
    /// It is called before the answers that it is about, kept, and called anew as soon as it has resolved, so a change
    /// between two calls is one that the next answer knows of. It must not resolve without a change, time and again.
    ///
    /// The default never does.
    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// What a [`Gate`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// How many of the records may go on, from the first.
    pub now: usize,
    /// After how long at most the first of the others is asked about again; of no meaning when all may go on.
    pub wait: Duration,
}

impl Admission {
    /// All of them.
    pub fn all() -> Self {
        Self { now: usize::MAX, wait: Duration::ZERO }
    }

    /// The first `now` of them, and the others not before `wait` is over.
    pub fn some(now: usize, wait: Duration) -> Self {
        Self { now, wait }
    }
}

/// A gate that says it may be asked again at once is asked again after this long.
const SHORTEST: Duration = Duration::from_millis(1);
/// A gate that says later than this is asked again all the same.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The gates of one task.
#[derive(Default)]
pub(crate) struct Gates {
    gates: Vec<Arc<dyn Gate>>,
    /// For each gate, in order, what tells that it has changed.
    changes: Vec<BoxFuture<'static, ()>>,
}

impl Clone for Gates {
    fn clone(&self) -> Self {
        Self { gates: self.gates.clone(), changes: Vec::new() }
    }
}

impl Gates {
    pub(crate) fn add(&mut self, gate: Arc<dyn Gate>) {
        self.gates.push(gate);
    }

    /// What all gates let on: what the strictest does, which says for how long. All of them listen before they are
    /// asked.
    pub(crate) fn ask(&mut self, records: &[LogRecord]) -> Admission {
        self.listen();
        let mut all = Admission { now: records.len(), wait: Duration::ZERO };
        for gate in self.gates.iter().filter(|_| !records.is_empty()) {
            let Admission { now, wait } = gate.admit(records);
            let wait = wait.clamp(SHORTEST, LONGEST);
            all = match now.cmp(&all.now) {
                std::cmp::Ordering::Less => Admission { now, wait },
                std::cmp::Ordering::Equal if now < records.len() => Admission { now, wait: wait.max(all.wait) },
                _ => all,
            };
        }
        all
    }

    /// Resolves when a gate has changed. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        self.listen();
        std::future::poll_fn(|context| {
            let changed: Vec<usize> = self
                .changes
                .iter_mut()
                .enumerate()
                .filter_map(|(at, change)| change.as_mut().poll(context).is_ready().then_some(at))
                .collect();
            for at in &changed {
                self.changes[*at] = listening(&self.gates[*at]);
            }
            if changed.is_empty() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    fn listen(&mut self) {
        for gate in &self.gates[self.changes.len()..] {
            self.changes.push(listening(gate));
        }
    }
}

/// A future of [`Gate::changed`] that has begun to listen.
fn listening(gate: &Arc<dyn Gate>) -> BoxFuture<'static, ()> {
    let owned = gate.clone();
    begun(Box::pin(async move { owned.changed().await }))
}

/// The future, after it was asked for the first time: it listens from now on.
pub(super) fn begun(mut changed: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    match Pin::new(&mut changed).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => changed,
        Poll::Ready(()) => Box::pin(std::future::ready(())),
    }
}
