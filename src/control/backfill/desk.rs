//! A process's access to the jobs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::clerk::clerk;
use super::follow::follow;
use super::{BackfillSettings, Event, Ledger, live};
use crate::broker::Broker;
use crate::control::{AuditRecord, Names};

/// Events that wait to be written.
const OUTBOX: usize = 64;

/// Follows jobs and ledger, and writes what happens to them; shared by the tasks of a spout. When the last clone is
/// dropped nothing more is written: the leases run out.
#[derive(Clone)]
pub(super) struct Desk {
    shared: Arc<Shared>,
    outbox: mpsc::Sender<Order>,
    _tasks: Arc<Tasks>,
}

/// What the desk and its two tasks share. No lock is held across a wait.
pub(super) struct Shared {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) names: Names,
    pub(super) settings: BackfillSettings,
    ledger: Mutex<Ledger>,
    /// Grows with each change of the ledger; 0 until both topics were read to their ends.
    version: watch::Sender<u64>,
    posts: Mutex<BTreeMap<String, Post>>,
    /// Whether the live stream is behind.
    live_behind: AtomicBool,
}

/// A chunk that a task of this process works at.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) job: String,
    pub(super) chunk: u32,
    /// Everything below is settled.
    pub(super) floor: u64,
    /// When its next run may go, as far as is known: in the past while one waits for something else.
    due: Instant,
}

/// An event to be written, and who wants to know at which offset; `None` when it is unknown whether it was.
pub(super) struct Order {
    pub(super) event: Event,
    /// What is to be in the audit before.
    pub(super) audit: Option<AuditRecord>,
    pub(super) reply: oneshot::Sender<Option<u64>>,
}

/// Ends the tasks when dropped.
struct Tasks(Vec<AbortHandle>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Desk {
    pub(super) fn start(broker: Arc<dyn Broker>, settings: BackfillSettings) -> Self {
        let shared = Arc::new(Shared {
            names: Names::of(&settings.topology),
            broker,
            settings,
            ledger: Mutex::default(),
            version: watch::Sender::new(0),
            posts: Mutex::default(),
            live_behind: AtomicBool::new(false),
        });
        let (outbox, orders) = mpsc::channel(OUTBOX);
        let mut tasks = vec![
            tokio::spawn(follow(shared.clone())).abort_handle(),
            tokio::spawn(clerk(shared.clone(), orders)).abort_handle(),
        ];
        if let Some(stream) = shared.settings.live.clone() {
            tasks.push(tokio::spawn(live::watch(shared.clone(), stream)).abort_handle());
        }
        Self { shared, outbox, _tasks: Arc::new(Tasks(tasks)) }
    }

    /// Looks into the ledger.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        self.shared.look(look)
    }

    /// Now, in milliseconds since the Unix epoch.
    pub(super) fn now_ms(&self) -> i64 {
        self.shared.settings.clock.unix_ms()
    }

    /// Tells of changes. Its value is 0 while the topics were not read to their ends yet.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.shared.version.subscribe()
    }

    /// Whether the live stream is behind, so that it goes first.
    pub(super) fn is_live_behind(&self) -> bool {
        self.shared.is_live_behind()
    }

    /// Has an event written. The answer is its offset; none when it is unknown whether it was written.
    pub(super) fn write(&self, event: Event) -> oneshot::Receiver<Option<u64>> {
        self.write_audited(event, None)
    }

    /// The same, after this is in the audit.
    pub(super) fn write_audited(
        &self,
        event: Event,
        audit: Option<AuditRecord>,
    ) -> oneshot::Receiver<Option<u64>> {
        let (reply, answer) = oneshot::channel();
        // With a full outbox the reply is dropped, which says the same as a failure.
        let _full = self.outbox.try_send(Order { event, audit, reply });
        answer
    }

    /// `worker` works at a chunk that is settled up to `floor`: its lease is renewed from now on.
    pub(super) fn post(&self, worker: &str, job: &str, chunk: u32, floor: u64) {
        let mut posts = self.shared.posts();
        let due = posts.get(worker).map_or_else(Instant::now, |post| post.due);
        posts.insert(worker.to_owned(), Post { job: job.to_owned(), chunk, floor, due });
    }

    /// No run of `worker` goes before: until shortly before then nobody needs to know how far the live stream is.
    pub(super) fn rests_until(&self, worker: &str, due: Instant) {
        if let Some(post) = self.shared.posts().get_mut(worker) {
            post.due = due;
        }
    }

    /// `worker` works at nothing.
    pub(super) fn leave(&self, worker: &str) {
        self.shared.posts().remove(worker);
    }
}

impl Shared {
    pub(super) fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        change(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the tasks that something has changed.
    pub(super) fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Tells them so, unless they have yet to hear that the topics were read.
    pub(super) fn changed_since_read(&self) {
        self.version.send_if_modified(|version| {
            let read = *version > 0;
            *version += u64::from(read);
            read
        });
    }

    /// Whether the tasks were told that the live stream is behind.
    pub(super) fn is_live_behind(&self) -> bool {
        self.live_behind.load(Ordering::Relaxed)
    }

    /// Whether the live stream is behind now. Those that wait for it are told when it no longer is.
    pub(super) fn tell_of_live(&self, behind: bool) {
        if self.live_behind.swap(behind, Ordering::Relaxed) == behind {
            return;
        }
        let topic = &self.settings.topic;
        if behind {
            tracing::info!(topic, "the live stream is behind: backfills rest");
        } else {
            tracing::info!(topic, "backfills go on: the live stream is not behind any more");
            self.changed_since_read();
        }
    }

    /// When the first run of this process may go; `None` while it works at nothing.
    pub(super) fn due(&self) -> Option<Instant> {
        self.posts().values().map(|post| post.due).min()
    }

    pub(super) fn posts(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Post>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
