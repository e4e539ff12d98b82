//! The log itself: topics, offsets, groups.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::{Instant, sleep};

use super::blocking::blocking;
use super::class_of;
use super::consumer::KafkaConsumer;
use super::context::Context;
use super::cursor::KafkaCursor;
use super::lookup::{self, Lookup, signed};
use super::outsiders::{Outsider, Outsiders, outsider};
use super::producer::KafkaProducer;
use super::settings::KafkaSettings;
use super::{config, consume, error};
use crate::broker::{
    Bounds, Broker, BrokerError, Cleanup, Consumer, Cursor, GroupSettings, Producer, TopicInfo, TopicSpec,
};
use crate::topology::{BoxFuture, Class, Classify};

/// Between two tries of a call that the cluster cannot answer yet.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(100);

/// A cluster.
pub struct KafkaBroker {
    settings: Arc<KafkaSettings>,
    lookup: Arc<Lookup>,
    admin: AdminClient<Context>,
    producer: Mutex<Option<Arc<KafkaProducer>>>,
    outsiders: Arc<Outsiders>,
}

impl KafkaBroker {
    /// Connects to the cluster, within the connect time-out. Once connected, outages are gone through without
    /// another call.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] when nobody answers in time, [`BrokerError::Invalid`] for a setting that
    /// librdkafka, or this module, refuses.
    pub async fn connect(settings: KafkaSettings) -> Result<Self, BrokerError> {
        let settings = Arc::new(settings);
        // Nobody serves the logs of this client, so it writes none: the others see the same outages.
        let mut admin = config::client(&settings)?;
        admin.set_log_level(RDKafkaLogLevel::Emerg);
        let admin = config::create(&admin, Context::default())?;
        let asked = Arc::clone(&settings);
        let lookup = Arc::new(blocking(move || Lookup::connect(asked)).await?);
        Ok(Self { settings, lookup, admin, producer: Mutex::new(None), outsiders: Arc::default() })
    }

    async fn create(&self, spec: &TopicSpec) -> Result<(), BrokerError> {
        check(spec)?;
        let (cleanup, retention_ms, retention_bytes) = cleanup_properties(spec.cleanup);
        let in_sync = in_sync(spec.replication).to_string();
        let mut topic = NewTopic::new(
            &spec.name,
            signed(spec.partitions),
            TopicReplication::Fixed(i32::from(spec.replication)),
        )
        .set("cleanup.policy", cleanup)
        .set("min.insync.replicas", &in_sync);
        if cleanup == "delete" {
            topic = topic.set("retention.ms", &retention_ms).set("retention.bytes", &retention_bytes);
        }
        let context = || format!("cannot create topic `{}`", spec.name);
        let created = self.admin.create_topics([&topic], &self.options()).await;
        let created = created.map_err(|e| error::failed(&self.settings, context(), e))?;
        match created.into_iter().next() {
            Some(Err((_, Code::TopicAlreadyExists))) => return self.compare(spec).await,
            Some(Err((_, code))) => {
                return Err(error::failed(&self.settings, context(), KafkaError::AdminOp(code)));
            }
            Some(Ok(_)) | None => {}
        }
        // The controller has it; clients are told of it, and of its leaders, a little later.
        self.until(format!("creating topic `{}`", spec.name), {
            let (lookup, name) = (Arc::clone(&self.lookup), spec.name.clone());
            move || lookup.has_leaders(&name)
        })
        .await
    }

    async fn compare(&self, spec: &TopicSpec) -> Result<(), BrokerError> {
        match self.find(&spec.name).await? {
            Some(found) if found.partitions != spec.partitions => Err(BrokerError::TopicMismatch {
                topic: found.name,
                actual: found.partitions,
                wanted: spec.partitions,
            }),
            _ => Ok(()),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), BrokerError> {
        let context = || format!("cannot delete topic `{name}`");
        let deleted = self.admin.delete_topics(&[name], &self.options()).await;
        let deleted = deleted.map_err(|e| error::failed(&self.settings, context(), e))?;
        match deleted.into_iter().next() {
            Some(Err((_, Code::UnknownTopicOrPartition | Code::UnknownTopic))) => return Ok(()),
            Some(Err((_, code))) => {
                return Err(error::failed(&self.settings, context(), KafkaError::AdminOp(code)));
            }
            Some(Ok(_)) | None => {}
        }
        self.until(format!("deleting topic `{name}`"), {
            let (lookup, name) = (Arc::clone(&self.lookup), name.to_owned());
            move || Ok(lookup.topic(&name)?.is_none())
        })
        .await
    }

    async fn find(&self, name: &str) -> Result<Option<TopicInfo>, BrokerError> {
        let (lookup, name) = (Arc::clone(&self.lookup), name.to_owned());
        blocking(move || lookup.topic(&name)).await
    }

    /// Asks until it is so, at most the request time-out.
    async fn until(
        &self,
        what: String,
        is_so: impl Fn() -> Result<bool, BrokerError> + Clone + Send + 'static,
    ) -> Result<(), BrokerError> {
        let deadline = Instant::now() + self.settings.request_timeout;
        while !blocking(is_so.clone()).await? {
            if Instant::now() >= deadline {
                return Err(error::timeout(what, self.settings.request_timeout));
            }
            sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn options(&self) -> AdminOptions {
        let timeout = Some(self.settings.request_timeout);
        AdminOptions::new().request_timeout(timeout).operation_timeout(timeout)
    }
}

impl Broker for KafkaBroker {
    fn create_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(self.create(spec))
    }

    fn delete_topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(self.delete(name))
    }

    fn topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TopicInfo>, BrokerError>> {
        Box::pin(self.find(name))
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<TopicInfo>, BrokerError>> {
        let lookup = Arc::clone(&self.lookup);
        Box::pin(blocking(move || lookup.topics()))
    }

    fn bounds<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Bounds>, BrokerError>> {
        let (lookup, topic) = (Arc::clone(&self.lookup), topic.to_owned());
        Box::pin(blocking(move || lookup.bounds(&topic)))
    }

    fn offsets_at<'a>(
        &'a self,
        topic: &'a str,
        timestamp_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<u64>, BrokerError>> {
        let (lookup, topic) = (Arc::clone(&self.lookup), topic.to_owned());
        Box::pin(blocking(move || lookup.offsets_at(&topic, timestamp_ms)))
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, BrokerError>> {
        let (settings, group, topic) = (Arc::clone(&self.settings), group.to_owned(), topic.to_owned());
        let outsiders = Arc::clone(&self.outsiders);
        let ask = move || {
            let consumer = outsiders.of(&settings, &group)?;
            let asked = committed(&settings, &consumer, &group, &topic);
            asked.inspect_err(|error| {
                // One that said no is as good as before.
                if error.class() == Class::Retryable {
                    outsiders.forget(&consumer);
                }
            })
        };
        Box::pin(blocking(ask))
    }

    fn reset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        offsets: &'a [(u32, u64)],
    ) -> BoxFuture<'a, Result<(), BrokerError>> {
        let (settings, group, topic) = (Arc::clone(&self.settings), group.to_owned(), topic.to_owned());
        let offsets = offsets.to_vec();
        Box::pin(blocking(move || reset(&settings, &group, &topic, &offsets)))
    }

    fn producer(&self) -> Result<Arc<dyn Producer>, BrokerError> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = &*producer {
            return Ok(Arc::clone(producer) as Arc<dyn Producer>);
        }
        let started = Arc::new(KafkaProducer::start(&self.settings, &self.lookup)?);
        *producer = Some(Arc::clone(&started));
        Ok(started)
    }

    fn cursor(&self, topic: &str, starts: &[(u32, u64)]) -> Result<Box<dyn Cursor>, BrokerError> {
        Ok(Box::new(KafkaCursor::open(&self.settings, &self.lookup, topic, starts, None)?))
    }

    fn slow_cursor(
        &self,
        topic: &str,
        starts: &[(u32, u64)],
        ahead: usize,
    ) -> Result<Box<dyn Cursor>, BrokerError> {
        Ok(Box::new(KafkaCursor::open(&self.settings, &self.lookup, topic, starts, Some(ahead))?))
    }

    fn subscribe(&self, topic: &str, settings: &GroupSettings) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(KafkaConsumer::subscribe(&self.settings, &self.lookup, topic, settings)?))
    }
}

fn committed(
    settings: &KafkaSettings,
    consumer: &Outsider,
    group: &str,
    topic: &str,
) -> Result<Vec<Option<u64>>, BrokerError> {
    let partitions = lookup::partitions(consumer, settings, topic)?;
    let failed = |e| error::failed(settings, format!("cannot ask for the offsets of group `{group}`"), e);
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in &partitions {
        list.add_partition(topic, signed(*partition));
    }
    let list = patiently(settings, || consumer.committed_offsets(list.clone(), settings.request_timeout));
    let list = list.map_err(failed)?;
    let offset = |partition: &u32| {
        let element = list.find_partition(topic, signed(*partition)).expect("the list was made of these");
        element.error().map_err(failed)?;
        Ok(match element.offset() {
            Offset::Offset(offset) => u64::try_from(offset).ok(),
            _ => None,
        })
    };
    partitions.iter().map(offset).collect()
}

fn reset(settings: &KafkaSettings, group: &str, topic: &str, offsets: &[(u32, u64)]) -> Result<(), BrokerError> {
    let consumer = outsider(settings, group)?;
    let partitions = lookup::partitions(&consumer, settings, topic)?;
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    let failed = |e: KafkaError| match e.rdkafka_error_code() {
        // The group takes offsets from outside only while nobody is in it.
        Some(Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress) => {
            BrokerError::GroupActive { group: group.to_owned() }
        }
        _ => error::failed(settings, format!("cannot move the offsets of group `{group}`"), e),
    };
    for (partition, offset) in offsets {
        if !partitions.contains(partition) {
            return Err(BrokerError::UnknownPartition { topic: topic.to_owned(), partition: *partition });
        }
        let offset = i64::try_from(*offset).map_err(|_| BrokerError::Invalid {
            what: "offset",
            reason: format!("{offset} is above {}", i64::MAX),
        })?;
        list.add_partition_offset(topic, signed(*partition), Offset::Offset(offset)).map_err(failed)?;
    }
    if list.count() == 0 {
        return Ok(());
    }
    consume::commit(&consumer, &list, settings.request_timeout).map_err(failed)
}

/// Repeats a call while the cluster is about to get over what keeps it from answering, such as a coordinator that is
/// still being chosen; for one request time-out.
fn patiently<T>(settings: &KafkaSettings, mut call: impl FnMut() -> KafkaResult<T>) -> KafkaResult<T> {
    let deadline = Instant::now() + settings.request_timeout;
    loop {
        match call() {
            Err(error) if class_of(&error) == Class::Retryable && Instant::now() < deadline => {
                std::thread::sleep(PATIENCE);
            }
            result => return result,
        }
    }
}

fn check(spec: &TopicSpec) -> Result<(), BrokerError> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let name = &spec.name;
    if name.is_empty() || name.len() > 249 || !name.bytes().all(valid) || name == "." || name == ".." {
        let reason = format!("`{name}`; it must be 1 to 249 characters of A-Z a-z 0-9 . _ -");
        return Err(BrokerError::Invalid { what: "topic name", reason });
    }
    if spec.partitions == 0 || spec.replication == 0 {
        let reason = format!("topic `{name}` needs at least one partition and one replica");
        return Err(BrokerError::Invalid { what: "topic", reason });
    }
    Ok(())
}

/// `min.insync.replicas`: all copies but one, so that what is acknowledged outlives the loss of one where there are three or
/// more, and one that is away stops nothing. Kafka's own 1 lets the leader alone acknowledge, whatever `acks` says.
pub(super) fn in_sync(replication: u16) -> u16 {
    replication.saturating_sub(1).max(1)
}

/// `cleanup.policy`, `retention.ms` and `retention.bytes`; -1 keeps everything.
fn cleanup_properties(cleanup: Cleanup) -> (&'static str, String, String) {
    match cleanup {
        Cleanup::Compact => ("compact", "-1".into(), "-1".into()),
        Cleanup::Delete { retention, max_bytes } => (
            "delete",
            retention.map_or_else(|| "-1".into(), |age| age.as_millis().to_string()),
            max_bytes.map_or_else(|| "-1".into(), |bytes| bytes.to_string()),
        ),
    }
}
