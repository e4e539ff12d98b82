//! A member of a group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::inbox::{Command, Event, Inbox, Place, Stamped};
use super::lookup::Lookup;
use super::poller::{self, Role};
use super::settings::KafkaSettings;
use super::{blocking::blocking, config, error};
use crate::broker::commit::not_assigned;
use crate::broker::{BrokerError, Commit, Consumer, ConsumerEvent, GroupSettings};
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
    /// A commit that is waited for, kept when the wait is dropped: asked for again it is not made again.
    underway: Option<(Vec<Stamped>, Reply)>,
}

/// Why further calls fail.
#[derive(Debug, Clone, Copy)]
enum Broken {
    /// This partition is not in the log at this offset; until it is paused.
    OutOfRange(u32, u64),
    /// For ever.
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
            underway: None,
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
                self.epochs.extend(partitions.iter().map(|granted| (granted.partition, granted.epoch)));
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
            Event::OutOfRange { partition, offset, .. } => {
                self.broken = Some(Broken::OutOfRange(partition, offset));
                return Err(out_of_range(&self.lookup, &self.topic, partition, offset).await);
            }
            Event::Failed(error) => {
                self.broken = Some(Broken::Failed);
                return Err(error);
            }
        })
    }

    fn stamped(&self, commits: &[Commit]) -> Vec<Stamped> {
        let stamp = |commit: &Commit| Some((*self.epochs.get(&commit.partition)?, *commit));
        commits.iter().filter_map(stamp).collect()
    }

    fn place(&self, partition: u32) -> Option<Place> {
        self.epochs.get(&partition).map(|epoch| Place { partition, epoch: *epoch })
    }

    /// Sends a command that is answered, and waits for the answer.
    async fn ask(&self, what: &'static str, command: impl FnOnce(Answer) -> Command) -> Result<(), BrokerError> {
        let (reply, mut answer) = oneshot::channel();
        self.inbox.send(command(reply))?;
        answered(what, &mut answer, self.patience()).await
    }

    /// The thread's own bound is one request; a second one covers what it was just doing.
    fn patience(&self) -> Duration {
        self.settings.request_timeout * 2
    }
}

/// Waits for the thread's answer, which itself waits for the group's.
async fn answered(what: &'static str, reply: &mut Reply, patience: Duration) -> Result<(), BrokerError> {
    match tokio::time::timeout(patience, reply).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(BrokerError::Closed { what: "the consumer" }),
        Err(_) => Err(error::timeout(what, patience)),
    }
}

type Reply = oneshot::Receiver<Result<(), BrokerError>>;
type Answer = oneshot::Sender<Result<(), BrokerError>>;

impl Consumer for KafkaConsumer {
    fn poll(&mut self, max: usize) -> BoxFuture<'_, Result<ConsumerEvent, BrokerError>> {
        Box::pin(self.next(max))
    }

    fn pause(&mut self, partition: u32, at: u64) -> Result<(), BrokerError> {
        self.broken.take_if(|broken| matches!(broken, Broken::OutOfRange(stuck, _) if *stuck == partition));
        self.place(partition).map_or(Ok(()), |place| self.inbox.pause(place, at))
    }

    fn resume(&mut self, partition: u32) -> Result<(), BrokerError> {
        self.place(partition).map_or(Ok(()), |place| self.inbox.send(Command::Resume(place)))
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), BrokerError> {
        let commits = self.stamped(commits);
        if !commits.is_empty() {
            self.inbox.send(Command::Commit(commits))?;
        }
        self.inbox.take_commit_error().map_or(Ok(()), Err)
    }

    fn commit_now<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        let asked = commits.len();
        let commits = self.stamped(commits);
        let whole = commits.len() == asked;
        Box::pin(async move {
            let patience = self.patience();
            let (_, answer) = match self.underway.take_if(|(same, _)| *same == commits) {
                Some(underway) => self.underway.insert(underway),
                None => {
                    let (reply, answer) = oneshot::channel();
                    self.inbox.send(Command::CommitNow(commits.clone(), reply))?;
                    self.underway.insert((commits, answer))
                }
            };
            let result = answered("a commit", answer, patience).await;
            self.underway = None;
            result.and_then(|()| if whole { Ok(()) } else { Err(not_assigned()) })
        })
    }

    fn release<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        let commits = self.stamped(commits);
        Box::pin(self.ask("a commit", |reply| Command::Release(commits, reply)))
    }

    fn close<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        let commits = self.stamped(commits);
        Box::pin(self.ask("leaving the group", |reply| Command::Close(commits, reply)))
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
