//! A reader outside groups.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::read::{Place, read};
use super::shared::Core;
use super::topic::Topic;
use crate::broker::{BrokerError, Cursor, Fetched};
use crate::topology::BoxFuture;

/// Reads its partitions in turn. Reads are served from the store's cache, so nothing is fetched ahead.
pub(super) struct EmbeddedCursor {
    core: Arc<Core>,
    topic: Arc<Topic>,
    places: BTreeMap<u32, Place>,
    /// Bytes after which a fetch ends.
    fetch_bytes: usize,
    last: u32,
}

impl EmbeddedCursor {
    pub(super) fn new(
        core: Arc<Core>,
        topic: Arc<Topic>,
        starts: &[(u32, u64)],
        fetch_bytes: usize,
    ) -> Result<Self, BrokerError> {
        let mut places = BTreeMap::new();
        for (partition, offset) in starts {
            topic.partition(*partition)?;
            places.insert(*partition, Place::at(*offset));
        }
        Ok(Self { core, topic, places, fetch_bytes, last: 0 })
    }

    /// How many partitions it reads.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    async fn next(&mut self, max: usize, wait: Duration) -> Result<Option<Fetched>, BrokerError> {
        let topic = self.topic.clone();
        let deadline = Instant::now().checked_add(wait);
        loop {
            // Registered before looking, so that nothing that comes meanwhile is missed.
            let mut grown = pin!(topic.changed.notified());
            grown.as_mut().enable();
            if let Some(fetched) = self.look(max)? {
                return Ok(Some(fetched));
            }
            let late = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = grown => {}
                () = late => return Ok(None),
            }
        }
    }

    fn look(&mut self, max: usize) -> Result<Option<Fetched>, BrokerError> {
        self.topic.check()?;
        let shared = &self.core.shared;
        let after: Vec<u32> = self.places.range(self.last + 1..).map(|(p, _)| *p).collect();
        let before: Vec<u32> = self.places.range(..=self.last).map(|(p, _)| *p).collect();
        for partition in after.into_iter().chain(before) {
            let Some(place) = self.places.get_mut(&partition) else { continue };
            let found = read(&shared.store, &self.topic, partition, *place, max, self.fetch_bytes)?;
            *place = found.next;
            if !found.records.is_empty() {
                self.last = partition;
                let next = found.next.offset;
                return Ok(Some(Fetched { partition, epoch: 0, records: found.records, next }));
            }
        }
        Ok(None)
    }
}

impl Cursor for EmbeddedCursor {
    fn fetch(&mut self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Option<Fetched>, BrokerError>> {
        Box::pin(self.next(max, wait))
    }

    fn seek(&mut self, partition: u32, offset: u64) -> Result<(), BrokerError> {
        let unknown = || BrokerError::UnknownPartition { topic: self.topic.name.to_string(), partition };
        *self.places.get_mut(&partition).ok_or_else(unknown)? = Place::at(offset);
        Ok(())
    }

    fn position(&self, partition: u32) -> Option<u64> {
        self.places.get(&partition).map(|place| place.offset)
    }
}
