//! A member of a group.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::inbox::{Command, Commit, Event, Inbox};
use super::lookup::Lookup;
use super::poller::{self, Role};
use super::settings::KafkaSettings;
use super::{blocking::blocking, config, error};
use crate::broker::{BrokerError, Consumer, ConsumerEvent, GroupSettings};
use crate::topology::BoxFuture;

/// The task's end of a group member; the other one is its polling thread.
pub(super) struct KafkaConsumer {
    inbox: Arc<Inbox>,
    lookup: Arc<Lookup>,
    settings: Arc<KafkaSettings>,
    topic: Arc<str>,
    /// Epoch of each partition that the task was told it has. Commits carry it, so that one made for an
    /// older assignment is recognised.
    epochs: BTreeMap<u32, u32>,
    broken: Option<Broken>,
}

/// Why every further call fails.
#[derive(Debug, Clone, Copy)]
enum Broken {
    OutOfRange(u32, u64),
    Failed,
}

impl KafkaConsumer {
    pub(super) fn subscribe(
        settings: &Arc<KafkaSettings>,
        lookup: &Arc<Lookup>,
        topic: &str,
        group: &GroupSettings,
    ) -> Result<Self, BrokerError> {
        let config = config::member(settings, group)?;
        let inbox = poller::start(settings, &config, topic, Role::Member(group.clone()), group.prefetch)?;
        Ok(Self {
            inbox,
            lookup: Arc::clone(lookup),
            settings: Arc::clone(settings),
            topic: topic.into(),
            epochs: BTreeMap::new(),
            broken: None,
        })
    }

    async fn next(&mut self, max: usize) -> Result<ConsumerEvent, BrokerError> {
        match self.broken {
            Some(Broken::OutOfRange(partition, offset)) => {
                return Err(out_of_range(&self.lookup, &self.topic, partition, offset).await);
            }
            Some(Broken::Failed) => return Err(BrokerError::Closed { what: "the consumer" }),
            None => {}
        }
        let event = loop {
            match self.inbox.try_next(max)? {
                Some(event) => break event,
                None => self.inbox.changed().await,
            }
        };
        Ok(match event {
            Event::Assigned(partitions) => {
                self.epochs.extend(partitions.iter().map(|(partition, epoch, _)| (*partition, *epoch)));
                ConsumerEvent::Assigned(partitions)
            }
            Event::Revoking(partitions) => ConsumerEvent::Revoking(partitions),
            Event::Lost(partitions) => {
                for partition in &partitions {
                    self.epochs.remove(partition);
                }
                ConsumerEvent::Lost(partitions)
            }
            Event::Records(fetched) => ConsumerEvent::Records(fetched),
            Event::OutOfRange { partition, offset } => {
                self.broken = Some(Broken::OutOfRange(partition, offset));
                return Err(out_of_range(&self.lookup, &self.topic, partition, offset).await);
            }
            Event::Failed(error) => {
                self.broken = Some(Broken::Failed);
                return Err(error);
            }
        })
    }

    fn commits(&self, offsets: &[(u32, u64)]) -> Vec<Commit> {
        let with_epoch = |(partition, next): &(u32, u64)| Some((*partition, *self.epochs.get(partition)?, *next));
        offsets.iter().filter_map(with_epoch).collect()
    }

    /// Waits for the thread's answer, which itself waits for the group's.
    async fn answer(&self, what: &'static str, reply: Reply) -> Result<(), BrokerError> {
        // The thread's own bound is one request; a second one covers what it was just doing.
        let patience = self.settings.request_timeout * 2;
        match tokio::time::timeout(patience, reply).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(BrokerError::Closed { what: "the consumer" }),
            Err(_) => Err(error::timeout(what, patience)),
        }
    }
}

type Reply = oneshot::Receiver<Result<(), BrokerError>>;

impl Consumer for KafkaConsumer {
    fn poll(&mut self, max: usize) -> BoxFuture<'_, Result<ConsumerEvent, BrokerError>> {
        Box::pin(self.next(max))
    }

    fn commit(&mut self, offsets: &[(u32, u64)]) -> Result<(), BrokerError> {
        let commits = self.commits(offsets);
        if !commits.is_empty() {
            self.inbox.send(Command::Commit(commits))?;
        }
        self.inbox.take_commit_error().map_or(Ok(()), Err)
    }

    fn release<'a>(&'a mut self, offsets: &'a [(u32, u64)]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.inbox.send(Command::Release(self.commits(offsets), reply))?;
            self.answer("a commit", answer).await
        })
    }

    fn close<'a>(&'a mut self, offsets: &'a [(u32, u64)]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.inbox.send(Command::Close(self.commits(offsets), reply))?;
            self.answer("leaving the group", answer).await
        })
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.inbox.abandon();
    }
}

/// The error with what the partition holds now.
pub(super) async fn out_of_range(
    lookup: &Arc<Lookup>,
    topic: &Arc<str>,
    partition: u32,
    offset: u64,
) -> BrokerError {
    let (lookup, name) = (Arc::clone(lookup), Arc::clone(topic));
    match blocking(move || lookup.bounds(&name)).await {
        Err(error) => error,
        Ok(bounds) => match bounds.into_iter().find(|b| b.partition == partition) {
            None => BrokerError::UnknownPartition { topic: topic.to_string(), partition },
            Some(held) => BrokerError::OutOfRange {
                topic: topic.to_string(),
                partition,
                offset,
                earliest: held.earliest,
                latest: held.latest,
            },
        },
    }
}
