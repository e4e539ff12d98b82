//! What the cluster knows: topics, offsets, times. All calls block, within the request time-out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::settings::KafkaSettings;
use super::{config, error};
use crate::broker::{Bounds, BrokerError, TopicInfo};

/// Where a list of offsets is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Earliest,
    Latest,
    /// The first record at or after this time.
    Time(i64),
}

/// A client that only asks, with a thread that serves its logs and errors.
pub(super) struct Lookup {
    consumer: Arc<BaseConsumer<Context>>,
    settings: Arc<KafkaSettings>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lookup {
    /// Connects, within the connect time-out.
    pub(super) fn connect(settings: Arc<KafkaSettings>) -> Result<Self, BrokerError> {
        let consumer: BaseConsumer<Context> = config::create(&config::lookup(&settings)?, Context::default())?;
        let consumer = Arc::new(consumer);
        let stop = Arc::new(AtomicBool::new(false));
        let (served, ended) = (Arc::clone(&consumer), Arc::clone(&stop));
        let serve = move || {
            while !ended.load(Ordering::Relaxed) {
                let _nothing_is_consumed = served.poll(Duration::from_millis(100));
            }
        };
        let thread = thread::Builder::new().name("kafka-lookup".into()).spawn(serve);
        let thread = thread
            .map_err(|source| BrokerError::Io { context: "cannot start a thread for kafka".into(), source })?;
        let lookup = Self { consumer, settings, stop, thread: Some(thread) };
        lookup.wait_for_cluster()?;
        Ok(lookup)
    }

    pub(super) fn topic(&self, name: &str) -> Result<Option<TopicInfo>, BrokerError> {
        topic(&self.consumer, &self.settings, name)
    }

    /// All topics, by name, without Kafka's own.
    pub(super) fn topics(&self) -> Result<Vec<TopicInfo>, BrokerError> {
        let metadata = self.consumer.fetch_metadata(None, self.settings.request_timeout);
        let metadata = metadata.map_err(|e| error::failed(&self.settings, "cannot list topics", e))?;
        let known = metadata.topics().iter().filter(|t| t.error().is_none() && !t.name().starts_with("__"));
        let mut topics: Vec<TopicInfo> = known.map(info).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// Whether every partition of a topic has a leader.
    pub(super) fn has_leaders(&self, name: &str) -> Result<bool, BrokerError> {
        let metadata = self.consumer.fetch_metadata(Some(name), self.settings.request_timeout);
        let metadata = metadata.map_err(|e| error::failed(&self.settings, "cannot look a topic up", e))?;
        let topic = metadata.topics().iter().find(|t| t.name() == name);
        Ok(topic.is_some_and(|t| {
            t.error().is_none() && !t.partitions().is_empty() && t.partitions().iter().all(|p| p.leader() >= 0)
        }))
    }

    pub(super) fn bounds(&self, topic: &str) -> Result<Vec<Bounds>, BrokerError> {
        bounds(&self.consumer, &self.settings, topic)
    }

    /// For each partition the first offset at or after a time, `latest` where there is none.
    pub(super) fn offsets_at(&self, topic: &str, time: i64) -> Result<Vec<u64>, BrokerError> {
        let partitions = partitions(&self.consumer, &self.settings, topic)?;
        offsets(&self.consumer, &self.settings, topic, &partitions, At::Time(time))
    }

    fn wait_for_cluster(&self) -> Result<(), BrokerError> {
        let deadline = Instant::now() + self.settings.connect_timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match self.consumer.fetch_metadata(None, left.min(Duration::from_secs(2))) {
                Ok(metadata) if !metadata.brokers().is_empty() => return Ok(()),
                Ok(_) => "the cluster has no brokers yet".to_owned(),
                // The client's own word is "timed out"; why it cannot connect is in its last error.
                Err(error) => self.consumer.context().last_error().unwrap_or_else(|| error.to_string()),
            };
            if Instant::now() >= deadline {
                return Err(BrokerError::Unreachable { address: self.settings.bootstrap.clone(), reason: error });
            }
            // A refused connection is answered at once; the client itself waits longer between attempts.
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A topic, or `None` when it does not exist.
pub(super) fn topic(
    consumer: &BaseConsumer<Context>,
    settings: &KafkaSettings,
    name: &str,
) -> Result<Option<TopicInfo>, BrokerError> {
    let metadata = match consumer.fetch_metadata(Some(name), settings.request_timeout) {
        Ok(metadata) => metadata,
        Err(error) if error::is_unknown_topic(&error) => return Ok(None),
        Err(error) => return Err(error::failed(settings, format!("cannot look topic `{name}` up"), error)),
    };
    let Some(topic) = metadata.topics().iter().find(|t| t.name() == name) else { return Ok(None) };
    match topic.error().map(Code::from) {
        None => Ok(Some(info(topic))),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::InvalidTopic) => Ok(None),
        Some(code) => {
            let context = format!("cannot look topic `{name}` up");
            Err(error::failed(settings, context, KafkaError::MetadataFetch(code)))
        }
    }
}

/// The partitions of a topic that exists.
pub(super) fn partitions(
    consumer: &BaseConsumer<Context>,
    settings: &KafkaSettings,
    name: &str,
) -> Result<Vec<u32>, BrokerError> {
    let topic = topic(consumer, settings, name)?;
    let topic = topic.ok_or_else(|| BrokerError::UnknownTopic { topic: name.to_owned() })?;
    Ok((0..topic.partitions).collect())
}

/// What each partition of a topic holds.
pub(super) fn bounds(
    consumer: &BaseConsumer<Context>,
    settings: &KafkaSettings,
    topic: &str,
) -> Result<Vec<Bounds>, BrokerError> {
    let partitions = partitions(consumer, settings, topic)?;
    let earliest = offsets(consumer, settings, topic, &partitions, At::Earliest)?;
    let latest = offsets(consumer, settings, topic, &partitions, At::Latest)?;
    let bounds = partitions.iter().zip(earliest).zip(latest);
    Ok(bounds.map(|((partition, earliest), latest)| Bounds { partition: *partition, earliest, latest }).collect())
}

/// One offset for each of `partitions`, in order, by one request for each leader.
pub(super) fn offsets(
    consumer: &BaseConsumer<Context>,
    settings: &KafkaSettings,
    topic: &str,
    partitions: &[u32],
    at: At,
) -> Result<Vec<u64>, BrokerError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |e| error::failed(settings, format!("cannot ask for offsets of `{topic}`"), e);
    // The protocol's own marks travel in the place of the time.
    let mark = match at {
        At::Earliest => Offset::Beginning,
        At::Latest => Offset::End,
        // Negative times are marks too; no record is that old.
        At::Time(time) => Offset::Offset(time.max(0)),
    };
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(topic, signed(*partition), mark).map_err(failed)?;
    }
    let list = consumer.offsets_for_times(list, settings.request_timeout).map_err(|error| {
        // So it says when none of them has a leader, though the cluster has just named them.
        let nobody_leads = error.rdkafka_error_code() == Some(Code::UnknownPartition);
        failed(if nobody_leads { KafkaError::OffsetFetch(Code::LeaderNotAvailable) } else { error })
    })?;
    let mut found = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let element = list.find_partition(topic, signed(*partition)).expect("the list was made of these");
        element.error().map_err(failed)?;
        found.push(match element.offset() {
            Offset::Offset(offset) => u64::try_from(offset).ok(),
            _ => None,
        });
    }
    if found.contains(&None) {
        if !matches!(at, At::Time(_)) {
            return Err(failed(KafkaError::OffsetFetch(Code::LeaderNotAvailable)));
        }
        let latest = offsets(consumer, settings, topic, partitions, At::Latest)?;
        return Ok(found.into_iter().zip(latest).map(|(found, latest)| found.unwrap_or(latest)).collect());
    }
    Ok(found.into_iter().flatten().collect())
}

/// Partitions are signed in the client's interface, where the negative ones are marks.
pub(super) fn signed(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

fn info(topic: &MetadataTopic) -> TopicInfo {
    TopicInfo {
        name: topic.name().to_owned(),
        partitions: u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX),
    }
}
