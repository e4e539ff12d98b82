//! Commits of one consumer that do not wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::shared::Core;
use super::topic::Topic;
use super::writer::{CommitJob, Job};
use crate::broker::{BrokerError, Commit};

/// At most one commit is on its way; what comes meanwhile is merged and goes when it has arrived.
pub(super) struct Commits {
    core: Arc<Core>,
    topic: Arc<Topic>,
    group: Arc<str>,
    waiting: BTreeMap<u32, Commit>,
    on_its_way: Option<oneshot::Receiver<Result<(), BrokerError>>>,
    failed: Option<BrokerError>,
}

impl Commits {
    pub(super) fn new(core: Arc<Core>, topic: Arc<Topic>, group: Arc<str>) -> Self {
        Self { core, topic, group, waiting: BTreeMap::new(), on_its_way: None, failed: None }
    }

    /// Adds commits and sends them as soon as possible.
    ///
    /// # Errors
    /// That of an earlier commit; the new one is on its way all the same.
    pub(super) fn add(&mut self, commits: &[Commit]) -> Result<(), BrokerError> {
        self.waiting.extend(commits.iter().map(|commit| (commit.partition, *commit)));
        self.look();
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Whether [`settle`](Self::settle) has something to wait for.
    pub(super) fn is_idle(&self) -> bool {
        self.on_its_way.is_none() && self.waiting.is_empty()
    }

    /// Waits until the commit on its way has arrived and sends the next. Cancel-safe.
    pub(super) async fn settle(&mut self) {
        self.send();
        if let Some(answer) = &mut self.on_its_way {
            let outcome = answer.await;
            self.arrived(outcome.unwrap_or(Err(CLOSED)));
        }
    }

    /// Makes these commits over all that is waiting, and waits for the answer.
    pub(super) async fn flush(&mut self, commits: &[Commit]) -> Result<(), BrokerError> {
        self.waiting.extend(commits.iter().map(|commit| (commit.partition, *commit)));
        let limit = self.core.shared.settings.delivery_timeout;
        let work = async {
            // An earlier commit that failed is superseded by this one.
            self.failed = None;
            while !self.is_idle() && self.failed.is_none() {
                self.settle().await;
            }
        };
        if tokio::time::timeout(limit, work).await.is_err() {
            let after_ms = limit.as_millis() as u64;
            return Err(BrokerError::Timeout { what: "commit".to_owned(), after_ms });
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    fn look(&mut self) {
        if let Some(answer) = &mut self.on_its_way {
            match answer.try_recv() {
                Ok(outcome) => self.arrived(outcome),
                Err(oneshot::error::TryRecvError::Closed) => self.arrived(Err(CLOSED)),
                Err(oneshot::error::TryRecvError::Empty) => return,
            }
        }
        self.send();
    }

    fn send(&mut self) {
        if self.on_its_way.is_some() || self.waiting.is_empty() {
            return;
        }
        let commits = std::mem::take(&mut self.waiting).into_values().collect();
        let (reply, answer) = oneshot::channel();
        let (topic, group) = (self.topic.clone(), self.group.clone());
        self.core.writer.send(Job::Commit(CommitJob { topic, group, commits, reply }));
        self.on_its_way = Some(answer);
    }

    fn arrived(&mut self, outcome: Result<(), BrokerError>) {
        self.on_its_way = None;
        if let Err(error) = outcome {
            self.failed = Some(error);
        }
    }
}

const CLOSED: BrokerError = BrokerError::Closed { what: "the embedded log" };
