//! The store under the log: opening, recovering, the operations that several parts need.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use super::codec::{Block, PartitionMeta, TopicMeta};
use super::failure::{io_error, storage_error};
use super::topic::Topic;
use super::{EmbeddedSettings, keys};
use crate::broker::BrokerError;

/// The format that this program writes.
const FORMAT: u32 = 1;
/// Bytes in memory after which a table goes to disk.
const MEMTABLE_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes of journals, read again after a crash.
const JOURNAL_BYTES: u64 = 256 * 1024 * 1024;

/// The keyspaces of one data directory.
pub(super) struct Store {
    pub(super) dir: PathBuf,
    pub(super) database: Database,
    pub(super) records: Keyspace,
    pub(super) meta: Keyspace,
    sync: bool,
    // Last, so that the directory is free only when the database is closed.
    _lock: DirectoryLock,
}

impl Store {
    /// Opens or creates the store in `dir`.
    ///
    /// # Errors
    /// [`BrokerError::Locked`] while another process, or this one, has it open; [`BrokerError::Corrupt`].
    pub(super) fn open(dir: &Path, settings: &EmbeddedSettings) -> Result<Self, BrokerError> {
        std::fs::create_dir_all(dir).map_err(|e| io_error("create data directory", e, dir))?;
        let lock = lock(dir)?;
        let log = dir.join("log");
        discard_unfinished(&log).map_err(|e| io_error("prepare", e, dir))?;
        let failed = |context| move |error| storage_error(context, error, dir);
        let database = Database::builder(&log)
            .cache_size(settings.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .journal_compression(CompressionType::None)
            .manual_journal_persist(true)
            .open()
            .map_err(failed("open"))?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let records = database.keyspace("records", options).map_err(failed("open records"))?;
        let meta = database.keyspace("meta", KeyspaceCreateOptions::default).map_err(failed("open topics"))?;
        let store = Self { dir: dir.to_owned(), database, records, meta, sync: settings.sync, _lock: lock };
        store.check_format()?;
        Ok(store)
    }

    /// A batch that [`commit`](Self::commit) writes as one.
    pub(super) fn batch(&self) -> OwnedWriteBatch {
        self.database.batch()
    }

    /// Writes a batch whole or not at all; when it returns, the batch is durable and visible.
    pub(super) fn commit(&self, batch: OwnedWriteBatch) -> Result<(), fjall::Error> {
        let mode = if self.sync { PersistMode::SyncData } else { PersistMode::Buffer };
        batch.durability(Some(mode)).commit()
    }

    /// Writes a batch whole or not at all. It is durable with the next [`commit`](Self::commit) at the latest;
    /// for upkeep, which is only repeated when it is lost.
    pub(super) fn commit_lazily(&self, batch: OwnedWriteBatch) -> Result<(), fjall::Error> {
        batch.durability(Some(PersistMode::Buffer)).commit()
    }

    /// The blocks of a partition whose first offset lies in `from..until`, in order.
    pub(super) fn blocks(
        &self,
        topic: u32,
        partition: u32,
        from: u64,
        until: u64,
    ) -> impl DoubleEndedIterator<Item = Result<Block, BrokerError>> + use<'_> {
        let range = keys::block(topic, partition, from)..keys::block(topic, partition, until.max(from));
        self.records.range(range).map(|guard| {
            let (key, value) = guard.into_inner().map_err(|e| self.error("read records", e))?;
            let first = keys::block_offset(&key)
                .ok_or_else(|| BrokerError::Corrupt { context: "key of a block of records".into() })?;
            Block::parse(first, value.into())
        })
    }

    /// The value of a key in the meta keyspace.
    pub(super) fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, BrokerError> {
        let value = self.meta.get(key).map_err(|e| self.error("read topics", e))?;
        Ok(value.map(Bytes::from))
    }

    /// All topics, recovered.
    pub(super) fn topics(&self) -> Result<HashMap<Arc<str>, Arc<Topic>>, BrokerError> {
        let mut topics = HashMap::new();
        for guard in self.meta.prefix([keys::TOPIC]) {
            let (key, value) = guard.into_inner().map_err(|e| self.error("read topics", e))?;
            let name = std::str::from_utf8(&key[1..])
                .map_err(|_| BrokerError::Corrupt { context: "name of a topic".into() })?;
            let meta = TopicMeta::decode(value.into())?;
            let name: Arc<str> = name.into();
            topics.insert(name.clone(), Arc::new(self.recover(name, &meta)?));
        }
        Ok(topics)
    }

    /// The error of a read that failed.
    pub(super) fn error(&self, context: &'static str, error: fjall::Error) -> BrokerError {
        storage_error(context, error, &self.dir)
    }

    /// What a topic's last blocks and stored bounds say of its partitions.
    fn recover(&self, name: Arc<str>, meta: &TopicMeta) -> Result<Topic, BrokerError> {
        let mut partitions = Vec::new();
        for partition in 0..meta.partitions {
            let mut state = match self.meta(&keys::bounds(meta.id, partition))? {
                Some(bytes) => PartitionMeta::decode(bytes)?,
                None => PartitionMeta::EMPTY,
            };
            if let Some(last) = self.blocks(meta.id, partition, 0, u64::MAX).next_back() {
                let last = last?;
                state.next = state.next.max(last.next);
                state.seen_ms = state.seen_ms.max(last.seen_ms);
                state.end_bytes = state.end_bytes.max(last.end_bytes);
            }
            partitions.push(state);
        }
        Ok(Topic::new(name, meta, &partitions))
    }

    fn check_format(&self) -> Result<(), BrokerError> {
        let Some(found) = self.meta(keys::FORMAT)? else {
            let mut batch = self.batch();
            batch.insert(&self.meta, keys::FORMAT, FORMAT.to_be_bytes().to_vec());
            return self.commit(batch).map_err(|e| self.error("write format", e));
        };
        if found[..] == FORMAT.to_be_bytes() {
            return Ok(());
        }
        Err(BrokerError::Corrupt { context: format!("format {found:?}, this program reads {FORMAT}") })
    }
}

/// Unlocks by name: a child process that is just being started holds a copy of the file, and with it a lock that is
/// only let go with the last copy.
struct DirectoryLock(File);

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // A lock that cannot be let go ends with the process.
        let _held = self.0.unlock();
    }
}

/// Takes the directory for this process. The lock goes with the file, so with the process.
fn lock(dir: &Path) -> Result<DirectoryLock, BrokerError> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| io_error("create lock file in", e, dir))?;
    match file.try_lock() {
        Ok(()) => Ok(DirectoryLock(file)),
        Err(TryLockError::WouldBlock) => Err(BrokerError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(e)) => Err(io_error("lock", e, dir)),
    }
}

/// A process that died while it created the store left a first journal without a version file, which the engine
/// cannot open. Nothing can have been acknowledged in it.
fn discard_unfinished(log: &Path) -> std::io::Result<()> {
    let (marker, journal) = (log.join("version"), log.join("0.jnl"));
    let unfinished = match std::fs::metadata(&marker) {
        Ok(found) => found.len() == 0,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error),
    };
    if unfinished {
        for path in [journal, marker] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}
