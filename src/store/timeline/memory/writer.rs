//! The thread's side of the journal: groups, rotation, snapshots.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::files::{Directory, JOURNAL, create};
use super::frame::put_frame;
use super::recover::Tail;
use super::shards::Shards;
use super::snapshot;

pub(super) struct Writer {
    directory: Arc<Directory>,
    shards: Arc<Shards>,
    journal_bytes: u64,
    number: u64,
    file: File,
    /// Everything before this is whole and synced.
    len: u64,
    frame: Vec<u8>,
    /// A sync or a repair failed: nobody knows what the file holds.
    broken: Option<String>,
    snapshot: Option<JoinHandle<io::Result<()>>>,
}

impl Writer {
    pub(super) fn new(directory: Directory, tail: Tail, shards: Arc<Shards>, journal_bytes: u64) -> Self {
        let Tail { number, file, len } = tail;
        Self {
            directory: Arc::new(directory),
            shards,
            journal_bytes,
            number,
            file,
            len,
            frame: Vec::new(),
            broken: None,
            snapshot: None,
        }
    }

    /// Writes `group` as one frame and syncs it. After an error the group is not in the journal.
    pub(super) fn append(&mut self, group: &[u8]) -> io::Result<()> {
        if let Some(reason) = &self.broken {
            return Err(io::Error::other(format!(
                "closed after an earlier failure: {reason}; restart the program"
            )));
        }
        if self.len >= self.journal_bytes {
            self.rotate()?;
        }
        self.frame.clear();
        put_frame(&mut self.frame, |out| out.extend_from_slice(group));
        if let Err(error) = self.file.write_all(&self.frame) {
            self.repair(&error);
            return Err(error);
        }
        if let Err(error) = self.file.sync_data() {
            self.broken = Some(error.to_string());
            return Err(error);
        }
        self.len += self.frame.len() as u64;
        Ok(())
    }

    /// Waits for a snapshot that is being written.
    pub(super) fn close(mut self) {
        if let Err(error) = self.finish_snapshot() {
            tracing::warn!(%error, "the last snapshot of the timelines failed; its journals are kept");
        }
    }

    /// Cuts off what a failed write left behind.
    fn repair(&mut self, error: &io::Error) {
        let cut = self.file.set_len(self.len).and_then(|()| self.file.seek(SeekFrom::Start(self.len)));
        if cut.and_then(|_| self.file.sync_all()).is_err() {
            self.broken = Some(error.to_string());
        }
    }

    /// Begins the next journal and a snapshot that replaces this one and all before. One snapshot runs at a time,
    /// and after one that failed the next must succeed before anything more is written: so journals stay bounded.
    fn rotate(&mut self) -> io::Result<()> {
        if self.finish_snapshot().is_err() {
            snapshot::write(&self.directory, self.number, &self.shards)?;
        }
        let number = self.number + 1;
        let (file, len) = create(&self.directory.journal(number), JOURNAL)?;
        file.sync_all()?;
        self.directory.sync()?;
        (self.number, self.file, self.len) = (number, file, len);
        let (directory, shards) = (self.directory.clone(), self.shards.clone());
        let write = move || snapshot::write(&directory, number, &shards);
        self.snapshot = Some(std::thread::Builder::new().name("timelines-snapshot".to_owned()).spawn(write)?);
        Ok(())
    }

    fn finish_snapshot(&mut self) -> io::Result<()> {
        let Some(thread) = self.snapshot.take() else { return Ok(()) };
        let result = thread.join().unwrap_or_else(|_| Err(io::Error::other("panicked")));
        if let Err(error) = &result {
            tracing::error!(%error, "cannot write a snapshot of the timelines");
        }
        result
    }
}
