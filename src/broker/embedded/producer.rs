//! Appends.

use std::sync::Arc;

use super::shared::Core;
use super::topic::Topic;
use super::writer::{AppendJob, Job};
use crate::broker::{Append, BrokerError, Cleanup, Position, Producer, partition_for_key};
use crate::topology::BoxFuture;

/// The producer of an open log.
pub(super) struct EmbeddedProducer {
    pub(super) core: Arc<Core>,
}

impl EmbeddedProducer {
    async fn send(&self, topic: &str, records: Vec<Append>) -> Result<Vec<Position>, BrokerError> {
        let topic = self.core.shared.topic(topic)?;
        let limit = self.core.shared.settings.max_record_bytes;
        let mut bytes = 0;
        let mut placed = Vec::with_capacity(records.len());
        for record in records {
            let size = size(&record);
            if size > limit {
                return Err(BrokerError::TooLarge { size, limit });
            }
            bytes += size;
            placed.push((partition(&topic, &record)?, record));
        }
        if placed.is_empty() {
            return Ok(Vec::new());
        }
        let job = |reply, room| Job::Append(AppendJob { topic, records: placed, reply, _room: room });
        self.core.writer.submit("append", bytes, job).await
    }
}

impl Producer for EmbeddedProducer {
    fn append<'a>(
        &'a self,
        topic: &'a str,
        records: Vec<Append>,
    ) -> BoxFuture<'a, Result<Vec<Position>, BrokerError>> {
        Box::pin(self.send(topic, records))
    }
}

/// Where a record goes.
fn partition(topic: &Topic, record: &Append) -> Result<u32, BrokerError> {
    if topic.cleanup == Cleanup::Compact && record.key.is_none() {
        let reason = format!("topic `{}` is compacted, so its records need a key", topic.name);
        return Err(BrokerError::Invalid { what: "record", reason });
    }
    match (record.partition, &record.key) {
        (Some(partition), _) => topic.partition(partition).map(|_| partition),
        (None, Some(key)) => Ok(partition_for_key(key, topic.count())),
        (None, None) => Ok(topic.next_in_turn()),
    }
}

/// Bytes that a record holds.
pub(super) fn size(record: &Append) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let of = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, |b| b.len());
    headers + of(&record.key) + of(&record.value)
}
