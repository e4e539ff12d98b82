//! One producer a process.
//!
//! An idempotent producer that lost track of what the broker has of it cannot go on: librdkafka refuses everything from then
//! on. Another one takes its place. What was under way may be in the log or not, as after a timeout, and is appended again by
//! whoever is responsible for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};
use tokio::time::{Instant, timeout_at};

use super::blocking::blocking;
use super::client::{Call, Client, Room};
use super::error;
use super::lookup::{Lookup, signed};
use super::settings::KafkaSettings;
use crate::broker::{Append, BrokerError, Position, Producer};
use crate::topology::BoxFuture;

/// How long an append that found the queue full waits at most before it looks again.
const FULL_RETRY: Duration = Duration::from_millis(20);

pub(super) struct KafkaProducer {
    client: Mutex<Arc<Client>>,
    room: Arc<Room>,
    lookup: Arc<Lookup>,
    settings: Arc<KafkaSettings>,
    /// Number of partitions of the topics that were written to.
    topics: Mutex<HashMap<String, u32>>,
    /// Whose turn it is among the partitions, for records without key.
    turn: AtomicU32,
}

impl KafkaProducer {
    pub(super) fn start(settings: &Arc<KafkaSettings>, lookup: &Arc<Lookup>) -> Result<Self, BrokerError> {
        let room = Arc::new(Room::default());
        Ok(Self {
            client: Mutex::new(Client::open(settings, &room)?),
            room,
            lookup: Arc::clone(lookup),
            settings: Arc::clone(settings),
            topics: Mutex::default(),
            turn: AtomicU32::new(0),
        })
    }

    async fn append_all(&self, topic: &str, records: Vec<Append>) -> Result<Vec<Position>, BrokerError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let patience = self.settings.delivery_timeout;
        let deadline = Instant::now() + patience;
        let places = self.places(topic, &records).await?;
        let client = Arc::clone(&lock(&self.client));
        let (mut call, delivered) = client.call(records.len());
        for (record, partition) in records.into_iter().zip(places) {
            self.enqueue(&client, topic, record, partition, &mut call, deadline).await?;
        }
        let outcome = timeout_at(deadline, delivered).await;
        let outcome = outcome.map_err(|_| error::timeout("an append", patience))?;
        // This append keeps its client; of what librdkafka does not report nobody knows at the deadline.
        let outcome = outcome.map_err(|_| BrokerError::Closed { what: "the producer" })?;
        outcome.map_err(|error| self.undelivered(&client, topic, error))
    }

    /// The partition of each record, where it is not the key that decides. Nothing is enqueued when one record
    /// is too large or has no place.
    async fn places(&self, topic: &str, records: &[Append]) -> Result<Vec<Option<u32>>, BrokerError> {
        let limit = self.settings.max_record_bytes as usize;
        if let Some(size) = records.iter().map(size_of_record).find(|size| *size > limit) {
            return Err(BrokerError::TooLarge { size, limit });
        }
        let mut partitions = self.partitions(topic, false).await?;
        let highest = records.iter().filter_map(|r| r.partition).max().unwrap_or_default();
        if highest >= partitions {
            // The topic may have grown since it was looked up.
            partitions = self.partitions(topic, true).await?;
        }
        if highest >= partitions {
            return Err(BrokerError::UnknownPartition { topic: topic.to_owned(), partition: highest });
        }
        let in_turn = || self.turn.fetch_add(1, Ordering::Relaxed) % partitions;
        Ok(records.iter().map(|r| r.partition.or_else(|| r.key.is_none().then(in_turn))).collect())
    }

    async fn partitions(&self, topic: &str, afresh: bool) -> Result<u32, BrokerError> {
        if !afresh && let Some(partitions) = lock(&self.topics).get(topic) {
            return Ok(*partitions);
        }
        let (lookup, name) = (Arc::clone(&self.lookup), topic.to_owned());
        let found = blocking(move || lookup.topic(&name)).await?;
        let found = found.filter(|topic| topic.partitions > 0);
        let found = found.ok_or_else(|| BrokerError::UnknownTopic { topic: topic.to_owned() })?;
        lock(&self.topics).insert(found.name, found.partitions);
        Ok(found.partitions)
    }

    /// Hands a record over, waiting for room in the queue until the deadline.
    async fn enqueue(
        &self,
        client: &Arc<Client>,
        topic: &str,
        record: Append,
        partition: Option<u32>,
        call: &mut Call,
        deadline: Instant,
    ) -> Result<(), BrokerError> {
        let mut message = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, call.next().to_opaque());
        message.partition = partition.map(signed);
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        message.timestamp = record.timestamp_ms;
        message.headers = native_headers(&record);
        loop {
            let (error, back) = match client.send(message) {
                Ok(()) => {
                    call.handed_over();
                    return Ok(());
                }
                Err(refused) => refused,
            };
            if error.rdkafka_error_code() != Some(Code::QueueFull) {
                return Err(self.undelivered(client, topic, error));
            }
            if Instant::now() >= deadline {
                return Err(error::timeout("room in the producer's queue", self.settings.delivery_timeout));
            }
            message = back;
            self.room.wait(FULL_RETRY).await;
        }
    }

    fn undelivered(&self, client: &Arc<Client>, topic: &str, source: KafkaError) -> BrokerError {
        if let Some((code, reason)) = client.client().fatal_error()
            && Client::has_lost_track(code)
        {
            let what = format!("an append to topic `{topic}`");
            return self.replace(client, &reason).err().unwrap_or(BrokerError::Interrupted { what, reason });
        }
        if error::is_unknown_topic(&source) {
            lock(&self.topics).remove(topic);
            return BrokerError::UnknownTopic { topic: topic.to_owned() };
        }
        error::failed(&self.settings, format!("cannot append to topic `{topic}`"), source)
    }

    /// Puts another client in the place of this one, unless that was done.
    fn replace(&self, given_up: &Arc<Client>, reason: &str) -> Result<(), BrokerError> {
        if !Arc::ptr_eq(&lock(&self.client), given_up) {
            return Ok(());
        }
        let another = Client::open(&self.settings, &self.room)?;
        let mut client = lock(&self.client);
        if Arc::ptr_eq(&client, given_up) {
            *client = another;
            tracing::warn!(reason, "the producer lost track of what the broker has; another one takes its place");
        }
        Ok(())
    }
}

impl Producer for KafkaProducer {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        Box::pin(self.append_all(topic, records))
    }
}

fn native_headers(record: &Append) -> Option<OwnedHeaders> {
    if record.headers.is_empty() {
        return None;
    }
    let empty = OwnedHeaders::new_with_capacity(record.headers.len());
    let insert = |headers: OwnedHeaders, (key, value): (&str, &Bytes)| {
        headers.insert(Header { key, value: Some(value.as_ref()) })
    };
    Some(record.headers.iter().fold(empty, insert))
}

fn size_of_record(record: &Append) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    headers + record.key.as_ref().map_or(0, Bytes::len) + record.value.as_ref().map_or(0, Bytes::len)
}

/// What the locks guard is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
