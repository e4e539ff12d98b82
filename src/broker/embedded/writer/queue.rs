//! How jobs reach the writer.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::super::failure::io_error;
use super::super::shared::{Shared, UNPOISONED};
use super::stage::apply;
use super::{Job, Reply};
use crate::broker::BrokerError;

/// How long closing waits for a write that the disk does not answer.
const CLOSE_WAIT: Duration = Duration::from_secs(10);
/// Room in the queue that a job takes at least, so that the number of jobs is bounded too.
const LEAST_BYTES: usize = 1024;

/// The way to the writer.
pub(in super::super) struct Writer {
    shared: Arc<Shared>,
    lane: Lane,
}

enum Lane {
    /// Jobs are applied by the task that brings them.
    Inline(Mutex<()>),
    /// Jobs are applied by a thread. Its queue has no bound of its own: appends need room, and each consumer has
    /// at most one commit in it.
    Thread {
        queue: Option<UnboundedSender<Job>>,
        room: Arc<Semaphore>,
        ended: Mutex<Receiver<()>>,
        thread: Option<JoinHandle<()>>,
    },
}

impl Writer {
    pub(in super::super) fn start(shared: Arc<Shared>) -> Result<Self, BrokerError> {
        if !shared.settings.sync {
            return Ok(Self { shared, lane: Lane::Inline(Mutex::default()) });
        }
        let (queue, jobs) = unbounded_channel();
        let (alive, ended) = channel();
        let worker = shared.clone();
        let thread = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || {
                run(&worker, jobs);
                drop(worker);
                drop(alive);
            })
            .map_err(|e| io_error("start a thread for", e, &shared.store.dir))?;
        let room = Arc::new(Semaphore::new(capacity(&shared)));
        let lane = Lane::Thread { queue: Some(queue), room, ended: ended.into(), thread: Some(thread) };
        Ok(Self { shared, lane })
    }

    /// Sends the job that `make` builds and waits for its answer; both waits together are bounded by the delivery
    /// timeout.
    pub(in super::super) async fn submit<T>(
        &self,
        what: &'static str,
        bytes: usize,
        make: impl FnOnce(Reply<T>, Option<OwnedSemaphorePermit>) -> Job,
    ) -> Result<T, BrokerError> {
        let limit = self.shared.settings.delivery_timeout;
        let work = async {
            self.shared.check()?;
            let room = self.room(bytes).await;
            let (reply, answer) = oneshot::channel();
            self.send(make(reply, room));
            answer.await.unwrap_or_else(|_| Err(BrokerError::Closed { what: "the embedded log" }))
        };
        let late = || BrokerError::Timeout { what: what.to_owned(), after_ms: limit.as_millis() as u64 };
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
    }

    /// Sends a job without waiting. A job that cannot be sent is dropped with its reply.
    pub(in super::super) fn send(&self, job: Job) {
        match &self.lane {
            Lane::Inline(turn) => {
                let _turn = turn.lock().expect(UNPOISONED);
                apply(&self.shared, vec![job]);
            }
            Lane::Thread { queue, .. } => {
                if let Some(queue) = queue {
                    // A writer that has ended dropped the receiver; the dropped reply tells the caller.
                    let _ended = queue.send(job);
                }
            }
        }
    }

    /// Takes all the room there is.
    #[cfg(test)]
    pub(in super::super) async fn fill(&self) -> Option<OwnedSemaphorePermit> {
        self.room(usize::MAX).await
    }

    async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let Lane::Thread { room, .. } = &self.lane else { return None };
        // An append larger than the queue takes all of it.
        let bytes = bytes.clamp(LEAST_BYTES, capacity(&self.shared));
        let room = room.clone().acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX)).await;
        Some(room.expect("the semaphore is never closed"))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Lane::Thread { queue, ended, thread, .. } = &mut self.lane else { return };
        *queue = None;
        let ended = ended.get_mut().expect(UNPOISONED);
        let gone = ended.recv_timeout(CLOSE_WAIT) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected);
        if let Some(thread) = thread.take().filter(|_| gone) {
            // A panic in it has been reported by the panic hook.
            let _panicked = thread.join();
        }
    }
}

fn run(shared: &Shared, mut jobs: UnboundedReceiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut waiting = vec![first];
        while let Ok(job) = jobs.try_recv() {
            waiting.push(job);
        }
        apply(shared, waiting);
    }
}

fn capacity(shared: &Shared) -> usize {
    shared.settings.queue_bytes.clamp(LEAST_BYTES, u32::MAX as usize)
}
