//! Creating and deleting topics.

use std::sync::Arc;

use super::super::codec::{PartitionMeta, TopicMeta};
use super::super::keys;
use super::super::shared::Shared;
use super::super::topic::Topic;
use crate::broker::{BrokerError, TopicSpec};

/// Creates a topic, durably. Runs on the writer alone.
pub(super) fn create(shared: &Shared, spec: &TopicSpec) -> Result<(), BrokerError> {
    if let Some(topic) = shared.find(&spec.name) {
        let (actual, wanted) = (topic.count(), spec.partitions);
        if actual == wanted {
            return Ok(());
        }
        return Err(BrokerError::TopicMismatch { topic: spec.name.clone(), actual, wanted });
    }
    shared.check()?;
    let id = match shared.store.meta(keys::NEXT_TOPIC)? {
        None => 0,
        Some(bytes) => {
            let bytes = bytes[..].try_into();
            u32::from_be_bytes(bytes.map_err(|_| BrokerError::Corrupt { context: "id of a topic".into() })?)
        }
    };
    let next = id.checked_add(1).ok_or_else(|| BrokerError::Invalid {
        what: "topic",
        reason: "2^32 topics have been created in this data directory".into(),
    })?;
    let meta = TopicMeta { id, partitions: spec.partitions, cleanup: spec.cleanup };
    let mut batch = shared.store.batch();
    batch.insert(&shared.store.meta, keys::NEXT_TOPIC, next.to_be_bytes().to_vec());
    batch.insert(&shared.store.meta, keys::topic(&spec.name), meta.encode());
    shared.store.commit(batch).map_err(|error| shared.fail(&error))?;
    let empty = vec![PartitionMeta::EMPTY; spec.partitions as usize];
    shared.add(Arc::new(Topic::new(spec.name.as_str().into(), &meta, &empty)));
    Ok(())
}

/// Deletes a topic, durably; its records go with the next upkeep. Runs on the writer alone.
pub(super) fn delete(shared: &Shared, name: &str) -> Result<(), BrokerError> {
    let Some(topic) = shared.find(name) else { return Ok(()) };
    shared.check()?;
    let mut batch = shared.store.batch();
    batch.remove(&shared.store.meta, keys::topic(name));
    batch.insert(&shared.store.meta, keys::gone(topic.id), Vec::new());
    shared.store.commit(batch).map_err(|error| shared.fail(&error))?;
    shared.remove(name);
    topic.delete();
    Ok(())
}
