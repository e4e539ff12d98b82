//! A reader outside groups.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::config;
use super::consumer::out_of_range;
use super::inbox::{Event, Inbox};
use super::lookup::Lookup;
use super::poller::{self, Role};
use super::settings::KafkaSettings;
use crate::broker::{BrokerError, Cursor, Fetched};
use crate::topology::BoxFuture;

/// The task's end of a cursor; the other one is its polling thread.
pub(super) struct KafkaCursor {
    inbox: Arc<Inbox>,
    lookup: Arc<Lookup>,
    topic: Arc<str>,
    positions: BTreeMap<u32, u64>,
    /// Partitions whose position is not in the log; a seek mends it.
    outside: BTreeMap<u32, u64>,
    failed: bool,
}

impl KafkaCursor {
    pub(super) fn open(
        settings: &Arc<KafkaSettings>,
        lookup: &Arc<Lookup>,
        topic: &str,
        starts: &[(u32, u64)],
        ahead: Option<usize>,
    ) -> Result<Self, BrokerError> {
        let ahead = ahead.unwrap_or(usize::MAX).min(settings.cursor_prefetch);
        let config = config::cursor(settings, ahead)?;
        let inbox = poller::start(settings, &config, topic, Role::Cursor(starts.to_vec()), ahead)?;
        Ok(Self {
            inbox,
            lookup: Arc::clone(lookup),
            topic: topic.into(),
            positions: starts.iter().copied().collect(),
            outside: BTreeMap::new(),
            failed: false,
        })
    }

    async fn next(&mut self, max: usize, wait: Duration) -> Result<Option<Fetched>, BrokerError> {
        if self.failed {
            return Err(BrokerError::Closed { what: "the cursor" });
        }
        let deadline = Instant::now() + wait;
        loop {
            if let Some((partition, offset)) = self.outside.first_key_value() {
                return Err(out_of_range(&self.lookup, &self.topic, *partition, *offset).await);
            }
            match self.inbox.try_next(max)? {
                Some(Event::Records(fetched)) => {
                    self.positions.insert(fetched.partition, fetched.next);
                    // Cursors have no assignments, so no epochs.
                    return Ok(Some(Fetched { epoch: 0, ..fetched }));
                }
                Some(Event::OutOfRange { partition, offset, .. }) => {
                    self.outside.insert(partition, offset);
                }
                Some(Event::Failed(error)) => {
                    self.failed = true;
                    return Err(error);
                }
                Some(Event::Assigned(_) | Event::Revoking(_) | Event::Lost(_)) => {}
                None => {
                    if tokio::time::timeout_at(deadline, self.inbox.changed()).await.is_err() {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

impl Cursor for KafkaCursor {
    fn fetch(&mut self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Option<Fetched>, BrokerError>> {
        Box::pin(self.next(max, wait))
    }

    fn seek(&mut self, partition: u32, offset: u64) -> Result<(), BrokerError> {
        let Some(position) = self.positions.get_mut(&partition) else {
            return Err(BrokerError::UnknownPartition { topic: self.topic.to_string(), partition });
        };
        self.inbox.seek(partition, offset)?;
        *position = offset;
        self.outside.remove(&partition);
        Ok(())
    }

    fn position(&self, partition: u32) -> Option<u64> {
        self.positions.get(&partition).copied()
    }
}

impl Drop for KafkaCursor {
    fn drop(&mut self) {
        self.inbox.abandon();
    }
}
