//! The log itself.

use std::path::Path;
use std::sync::Arc;

use super::consumer::EmbeddedConsumer;
use super::cursor::EmbeddedCursor;
use super::producer::EmbeddedProducer;
use super::read::offset_at;
use super::remote::Server;
use super::shared::{Core, Shared, now_ms};
use super::writer::{CommitJob, CreateJob, DeleteJob, Job};
use super::{EmbeddedSettings, codec, keys, upkeep};
use crate::broker::{
    Bounds, Broker, BrokerError, Commit, Consumer, Cursor, GroupSettings, Producer, TopicInfo, TopicSpec,
};
use crate::topology::BoxFuture;

/// A durable log in one directory, for one process. Clones share it; it closes, and the directory is free again,
/// when the last clone, producer, cursor and consumer is dropped.
///
/// ```
/// use squall::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
/// use squall::broker::{Append, Broker, TopicSpec};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), squall::broker::BrokerError> {
/// # let dir = tempfile::tempdir().expect("a directory");
/// let log = EmbeddedBroker::open(dir.path(), EmbeddedSettings::default())?;
/// log.create_topic(&TopicSpec::new("words", 4)).await?;
/// let word = Append { value: Some("hello".into()), ..Append::default() };
/// let positions = log.producer()?.append("words", vec![word]).await?;
/// assert_eq!(positions[0].offset, 0);
/// # Ok(())
/// # }
/// ```
///
/// With [`share`](EmbeddedSettings::share) other processes can use the log too, through
/// [`RemoteBroker`](super::RemoteBroker), until the last clone is dropped; what they do never keeps the directory.
#[derive(Clone)]
pub struct EmbeddedBroker {
    // First, so that nothing of other processes is left when the log closes.
    server: Option<Arc<Server>>,
    pub(super) core: Arc<Core>,
    producer: Arc<EmbeddedProducer>,
}

impl EmbeddedBroker {
    /// Opens the log in `dir`, which is created when it is missing. Blocks while it reads what a crash left.
    ///
    /// # Errors
    /// [`BrokerError::Locked`] while the directory is in use, [`BrokerError::Corrupt`] when it holds what this
    /// program cannot read, [`BrokerError::DiskFull`].
    pub fn open(dir: &Path, settings: EmbeddedSettings) -> Result<Self, BrokerError> {
        let core = Arc::new(Core::open(dir, settings)?);
        let producer = Arc::new(EmbeddedProducer { core: core.clone() });
        let mut broker = Self { server: None, core, producer };
        if broker.core.shared.settings.share {
            broker.server = Some(Arc::new(Server::start(broker.clone())?));
        }
        Ok(broker)
    }

    /// A cursor whose fetches end after `fetch_bytes`.
    pub(super) fn open_cursor(
        &self,
        topic: &str,
        starts: &[(u32, u64)],
        fetch_bytes: usize,
    ) -> Result<EmbeddedCursor, BrokerError> {
        let topic = self.core.shared.topic(topic)?;
        EmbeddedCursor::new(self.core.clone(), topic, starts, fetch_bytes)
    }

    /// A member whose fetches end after `fetch_bytes`.
    pub(super) fn join(
        &self,
        topic: &str,
        settings: &GroupSettings,
        fetch_bytes: usize,
    ) -> Result<EmbeddedConsumer, BrokerError> {
        check_group(&settings.group)?;
        let topic = self.core.shared.topic(topic)?;
        Ok(EmbeddedConsumer::join(self.core.clone(), topic, settings, fetch_bytes))
    }

    pub(super) fn settings(&self) -> &EmbeddedSettings {
        &self.core.shared.settings
    }

    /// Compacts `topic` as far as it goes now and returns how many records went.
    ///
    /// # Errors
    /// [`BrokerError::UnknownTopic`]; [`BrokerError::Invalid`] when the topic is not compacted.
    pub async fn compact(&self, topic: &str) -> Result<u64, BrokerError> {
        let topic = self.core.shared.topic(topic)?;
        if topic.cleanup != crate::broker::Cleanup::Compact {
            let reason = format!("topic `{}` is not compacted", topic.name);
            return Err(BrokerError::Invalid { what: "compaction", reason });
        }
        self.blocking(move |shared| upkeep::compact(shared, &topic, now_ms())).await
    }

    /// Deletes the records of `partition` below `offset`.
    ///
    /// # Errors
    /// [`BrokerError::UnknownTopic`], [`BrokerError::UnknownPartition`], [`BrokerError::OutOfRange`] past the end.
    pub async fn delete_before(&self, topic: &str, partition: u32, offset: u64) -> Result<(), BrokerError> {
        let topic = self.core.shared.topic(topic)?;
        self.blocking(move |shared| upkeep::forget_before(shared, &topic, partition, offset)).await
    }

    /// Runs now what otherwise runs on the upkeep interval: retention, compaction, and freeing the room of deleted
    /// topics.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn run_upkeep(&self) -> Result<(), BrokerError> {
        self.blocking(|shared| upkeep::run(shared, now_ms())).await
    }

    /// Runs what may block on a thread that may.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, BrokerError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let shared = self.core.shared.clone();
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        done.unwrap_or(Err(BrokerError::Closed { what: "the embedded log" }))
    }
}

impl Broker for EmbeddedBroker {
    fn create_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            check_name("topic name", &spec.name)?;
            if spec.partitions == 0 {
                let reason = "a topic has at least one partition".to_owned();
                return Err(BrokerError::Invalid { what: "number of partitions", reason });
            }
            let spec = spec.clone();
            let job = |reply, _| Job::Create(CreateJob { spec, reply });
            self.core.writer.submit("create topic", 0, job).await
        })
    }

    fn delete_topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BrokerError>> {
        let job = |reply, _| Job::Delete(DeleteJob { name: name.to_owned(), reply });
        Box::pin(self.core.writer.submit("delete topic", 0, job))
    }

    fn topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TopicInfo>, BrokerError>> {
        Box::pin(async move { Ok(self.core.shared.find(name).map(|topic| topic.info())) })
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<TopicInfo>, BrokerError>> {
        Box::pin(async move {
            let mut topics: Vec<TopicInfo> = self.core.shared.topics().iter().map(|t| t.info()).collect();
            topics.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(topics)
        })
    }

    fn bounds<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Bounds>, BrokerError>> {
        Box::pin(async move { Ok(self.core.shared.topic(topic)?.bounds()) })
    }

    fn offsets_at<'a>(
        &'a self,
        topic: &'a str,
        timestamp_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<u64>, BrokerError>> {
        Box::pin(async move {
            let topic = self.core.shared.topic(topic)?;
            let store = &self.core.shared.store;
            (0..topic.count()).map(|partition| offset_at(store, &topic, partition, timestamp_ms)).collect()
        })
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, BrokerError>> {
        Box::pin(async move {
            let topic = self.core.shared.topic(topic)?;
            let committed = |partition| {
                let bytes = self.core.shared.store.meta(&keys::committed(topic.id, partition, group))?;
                bytes.map(|bytes| codec::commit_of(&bytes).map(|(offset, ..)| offset)).transpose()
            };
            (0..topic.count()).map(committed).collect()
        })
    }

    fn reset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        offsets: &'a [(u32, u64)],
    ) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            check_group(group)?;
            let topic = self.core.shared.topic(topic)?;
            for (partition, _) in offsets {
                topic.partition(*partition)?;
            }
            if self.core.shared.groups.is_active(group) {
                return Err(BrokerError::GroupActive { group: group.to_owned() });
            }
            let group = group.into();
            let commits = offsets.iter().map(|(partition, offset)| Commit::clean(*partition, *offset)).collect();
            let job = |reply, _| Job::Commit(CommitJob { topic, group, commits, reply });
            self.core.writer.submit("reset of offsets", 0, job).await
        })
    }

    fn producer(&self) -> Result<Arc<dyn Producer>, BrokerError> {
        Ok(self.producer.clone())
    }

    fn cursor(&self, topic: &str, starts: &[(u32, u64)]) -> Result<Box<dyn Cursor>, BrokerError> {
        Ok(Box::new(self.open_cursor(topic, starts, self.settings().fetch_max_bytes)?))
    }

    fn subscribe(&self, topic: &str, settings: &GroupSettings) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(self.join(topic, settings, self.settings().fetch_max_bytes)?))
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), BrokerError> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=249).contains(&name.len()) && name.bytes().all(valid) && name != "." && name != ".." {
        return Ok(());
    }
    let reason = format!("`{name}` is not 1 to 249 characters of [A-Za-z0-9._-]");
    Err(BrokerError::Invalid { what, reason })
}

fn check_group(name: &str) -> Result<(), BrokerError> {
    if (1..=249).contains(&name.len()) {
        return Ok(());
    }
    let reason = format!("`{name}` is not 1 to 249 bytes long");
    Err(BrokerError::Invalid { what: "group name", reason })
}
