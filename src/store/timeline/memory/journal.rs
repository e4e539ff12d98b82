//! The journal: many writers append, one thread writes and syncs.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::files::Directory;
use super::recover::Tail;
use super::shards::Shards;
use super::store::MemorySettings;
use super::writer::Writer;

/// Appends to a directory's journal. Dropping it writes what is pending and ends the thread.
pub(super) struct Journal {
    shared: Arc<Shared>,
    pending_bytes: usize,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Bytes ever appended.
    appended: u64,
    closing: bool,
}

/// Positions count the bytes ever appended.
#[derive(Clone, Default)]
struct Progress {
    /// Up to here everything was tried.
    handled: u64,
    /// Where the last group ended that could not be written, and why.
    failed: Option<(u64, Arc<io::Error>)>,
}

impl Journal {
    pub(super) fn start(
        directory: Directory,
        tail: Tail,
        shards: Arc<Shards>,
        settings: MemorySettings,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            wake: Condvar::new(),
            progress: watch::Sender::default(),
        });
        let writer = Writer::new(directory, tail, shards, settings.journal_bytes);
        let run = Run { shared: shared.clone() };
        let thread =
            std::thread::Builder::new().name("timelines-journal".to_owned()).spawn(move || run.groups(writer))?;
        Ok(Self { shared, pending_bytes: settings.pending_bytes, thread: Some(thread) })
    }

    /// Waits until no more than the set number of bytes is pending. The position of what comes next.
    pub(super) async fn ready(&self) -> u64 {
        let mut progress = self.shared.progress.subscribe();
        loop {
            progress.borrow_and_update();
            let (pending, position) = {
                let pending = self.shared.lock();
                (pending.bytes.len(), pending.appended)
            };
            if pending <= self.pending_bytes || progress.changed().await.is_err() {
                return position;
            }
        }
    }

    /// Appends what `put` writes. Not durable before [`durable`](Self::durable) says so.
    pub(super) fn append(&self, put: impl FnOnce(&mut Vec<u8>)) {
        let mut pending = self.shared.lock();
        let before = pending.bytes.len();
        put(&mut pending.bytes);
        pending.appended += (pending.bytes.len() - before) as u64;
    }

    /// Waits until everything appended so far is durable.
    pub(super) async fn flush(&self) -> io::Result<()> {
        let since = self.shared.progress.borrow().handled;
        self.durable(since).await
    }

    /// Waits until everything appended so far is durable. An error when a write failed that ended after `since`.
    pub(super) async fn durable(&self, since: u64) -> io::Result<()> {
        let mut progress = self.shared.progress.subscribe();
        let end = self.shared.lock().appended;
        self.shared.wake.notify_one();
        let seen = progress.wait_for(|progress| progress.handled >= end).await;
        let failed = seen.ok().and_then(|seen| seen.failed.clone());
        match failed {
            Some((to, error)) if to > since => Err(io::Error::new(error.kind(), error)),
            _ => Ok(()),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal of the timelines ended with a panic");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's end of the journal. However it ends, nobody is left waiting.
struct Run {
    shared: Arc<Shared>,
}

impl Run {
    fn groups(self, mut writer: Writer) {
        let mut group = Vec::new();
        while let Some(end) = self.take(&mut group) {
            let result = writer.append(&group);
            self.shared.progress.send_modify(|progress| {
                progress.handled = end;
                if let Err(error) = result {
                    tracing::error!(%error, "cannot write the journal of the timelines");
                    progress.failed = Some((end, Arc::new(error)));
                }
            });
        }
        writer.close();
    }

    /// Waits for something to write, and swaps it into `group`, which is empty. `None` when closing.
    fn take(&self, group: &mut Vec<u8>) -> Option<u64> {
        group.clear();
        let mut pending = self.shared.lock();
        while pending.bytes.is_empty() && !pending.closing {
            pending = self.shared.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut pending.bytes, group);
        (!group.is_empty()).then_some(pending.appended)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let ended = Arc::new(io::Error::other("the thread that writes the journal has ended"));
        self.shared.progress.send_modify(|progress| {
            progress.handled = u64::MAX;
            progress.failed = Some((u64::MAX, ended));
        });
    }
}
