//! What every part of one open log shares.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::EmbeddedSettings;
use super::failure::Failure;
use super::group::Groups;
use super::housekeeper::Housekeeper;
use super::store::Store;
use super::topic::Topic;
use super::writer::Writer;
use crate::broker::BrokerError;

/// An open log: what its threads and handles share.
pub(super) struct Shared {
    pub(super) settings: EmbeddedSettings,
    pub(super) groups: Groups,
    /// Held by whoever deletes or rewrites blocks: retention, compaction, sweeping.
    pub(super) upkeep: Mutex<()>,
    /// Set when the log closes: long work ends at its next step.
    pub(super) closing: AtomicBool,
    topics: RwLock<HashMap<Arc<str>, Arc<Topic>>>,
    failure: OnceLock<Failure>,
    pub(super) store: Store,
}

impl Shared {
    pub(super) fn open(dir: &Path, settings: EmbeddedSettings) -> Result<Self, BrokerError> {
        let store = Store::open(dir, &settings)?;
        let topics = RwLock::new(store.topics()?);
        Ok(Self {
            settings,
            groups: Groups::default(),
            upkeep: Mutex::default(),
            closing: AtomicBool::new(false),
            topics,
            failure: OnceLock::new(),
            store,
        })
    }

    /// # Errors
    /// [`BrokerError::UnknownTopic`].
    pub(super) fn topic(&self, name: &str) -> Result<Arc<Topic>, BrokerError> {
        self.find(name).ok_or_else(|| BrokerError::UnknownTopic { topic: name.to_owned() })
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.read().expect(UNPOISONED).get(name).cloned()
    }

    /// All topics, in no order.
    pub(super) fn topics(&self) -> Vec<Arc<Topic>> {
        self.topics.read().expect(UNPOISONED).values().cloned().collect()
    }

    pub(super) fn add(&self, topic: Arc<Topic>) {
        self.topics.write().expect(UNPOISONED).insert(topic.name.clone(), topic);
    }

    pub(super) fn remove(&self, name: &str) {
        self.topics.write().expect(UNPOISONED).remove(name);
    }

    /// # Errors
    /// Why the log takes no more writes.
    pub(super) fn check(&self) -> Result<(), BrokerError> {
        self.failure.get().map_or(Ok(()), |failure| Err(failure.error()))
    }

    /// Remembers that a write failed; from now on none is taken.
    pub(super) fn fail(&self, error: &fjall::Error) -> BrokerError {
        self.failure.get_or_init(|| Failure::of(error, &self.store.dir)).error()
    }
}

/// A panic while one of the locks is held would have ended the task that holds it half-way.
pub(super) const UNPOISONED: &str = "nothing panics while it holds this lock";

/// An open log with its threads. Every handle keeps it open; the last one closes it.
pub(super) struct Core {
    // Before `shared`, so that no thread uses the store when it closes.
    pub(super) writer: Writer,
    _housekeeper: Option<Housekeeper>,
    pub(super) shared: Arc<Shared>,
}

impl Core {
    pub(super) fn open(dir: &Path, settings: EmbeddedSettings) -> Result<Self, BrokerError> {
        let shared = Arc::new(Shared::open(dir, settings)?);
        let writer = Writer::start(shared.clone())?;
        let housekeeper = match shared.settings.upkeep_interval {
            Some(interval) => Some(Housekeeper::start(shared.clone(), interval)?),
            None => None,
        };
        Ok(Self { writer, _housekeeper: housekeeper, shared })
    }
}

/// Milliseconds since the Unix epoch.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
