//! A member of a group.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::codec;
use super::commits::Commits;
use super::group::{Change, Grant};
use super::keys;
use super::read::{Place, offset_at, read};
use super::shared::Core;
use super::topic::Topic;
use crate::broker::commit::not_assigned;
use crate::broker::{
    BrokerError, Commit, Consumer, ConsumerEvent, Fetched, Granted, GroupSettings, Note, StartFrom,
};
use crate::topology::BoxFuture;

/// Reads what its group assigns to it. Dropping it leaves the group without commit.
pub(super) struct EmbeddedConsumer {
    core: Arc<Core>,
    topic: Arc<Topic>,
    group: Arc<str>,
    member: u64,
    wake: Arc<Notify>,
    start_from: StartFrom,
    /// Bytes after which a fetch ends.
    fetch_bytes: usize,
    commits: Commits,
    assigned: BTreeMap<u32, Assigned>,
    /// Epochs of the assignments that the caller knows of, revoked ones included.
    epochs: BTreeMap<u32, u32>,
    /// Partition that was read last: the others come before it again.
    last: u32,
    /// Partition that cannot be read: every poll fails with it while it is ours.
    stuck: Option<u32>,
    closed: bool,
}

struct Assigned {
    epoch: u32,
    place: Place,
    paused: bool,
}

impl EmbeddedConsumer {
    pub(super) fn join(core: Arc<Core>, topic: Arc<Topic>, settings: &GroupSettings, fetch_bytes: usize) -> Self {
        let group: Arc<str> = settings.group.as_str().into();
        let wake = Arc::new(Notify::new());
        let member = core.shared.groups.join(&group, &topic, settings.drain_timeout, wake.clone());
        Self {
            commits: Commits::new(core.clone(), topic.clone(), group.clone()),
            core,
            topic,
            group,
            member,
            wake,
            start_from: settings.start_from,
            fetch_bytes,
            assigned: BTreeMap::new(),
            epochs: BTreeMap::new(),
            last: 0,
            stuck: None,
            closed: false,
        }
    }

    async fn next_event(&mut self, max: usize) -> Result<ConsumerEvent, BrokerError> {
        let (topic, wake) = (self.topic.clone(), self.wake.clone());
        loop {
            // Registered before looking, so that nothing that comes meanwhile is missed.
            let mut grown = pin!(topic.changed.notified());
            grown.as_mut().enable();
            if self.closed {
                return Err(BrokerError::Closed { what: "the consumer" });
            }
            topic.check()?;
            let (change, deadline) = self.look_at_group();
            if let Some(change) = change {
                return self.apply(change);
            }
            if let Some(fetched) = self.fetch(max)? {
                return Ok(ConsumerEvent::Records(fetched));
            }
            tokio::select! {
                () = grown => {}
                () = wake.notified() => {}
                () = sleep_until(deadline) => {}
                () = self.commits.settle(), if !self.commits.is_idle() => {}
            }
        }
    }

    /// What the group has to say, and until when it waits for a release.
    fn look_at_group(&self) -> (Option<Change>, Option<Instant>) {
        let look = self.core.shared.groups.with(&self.group, &self.topic, |members| {
            members.expire(Instant::now());
            (members.next_change(self.member), members.deadline())
        });
        look.unwrap_or_default()
    }

    fn apply(&mut self, change: Change) -> Result<ConsumerEvent, BrokerError> {
        Ok(match change {
            Change::Assigned(grants) => {
                let mut event = Vec::new();
                for grant in grants {
                    let (next, note, seek) = self.start(&grant)?;
                    let Grant { partition, epoch, .. } = grant;
                    self.epochs.insert(partition, epoch);
                    self.assigned.insert(partition, Assigned { epoch, place: Place::at(next), paused: false });
                    event.push(Granted { partition, epoch, next, note, seek });
                }
                ConsumerEvent::Assigned(event)
            }
            Change::Revoking(partitions) => {
                let partitions: Vec<u32> = partitions.into_iter().map(|(p, _)| p).collect();
                self.assigned.retain(|p, _| !partitions.contains(p));
                ConsumerEvent::Revoking(partitions)
            }
            Change::Lost(partitions) => {
                self.assigned.retain(|p, _| !partitions.contains(p));
                self.epochs.retain(|p, _| !partitions.contains(p));
                ConsumerEvent::Lost(partitions)
            }
        })
    }

    /// What is committed, or else what the policy says.
    fn start(&self, grant: &Grant) -> Result<(u64, Note, u64), BrokerError> {
        let store = &self.core.shared.store;
        if let Some(bytes) = store.meta(&keys::committed(self.topic.id, grant.partition, &self.group))? {
            return codec::commit_of(&bytes);
        }
        let start = match self.start_from {
            StartFrom::Earliest => self.topic.partition(grant.partition)?.earliest(),
            StartFrom::Latest => grant.latest,
            StartFrom::Timestamp(time) => offset_at(store, &self.topic, grant.partition, time)?,
        };
        Ok((start, Note::Clean, 0))
    }

    /// Records of the next partition that has some, in turn.
    fn fetch(&mut self, max: usize) -> Result<Option<Fetched>, BrokerError> {
        let shared = &self.core.shared;
        let after: Vec<u32> = self.assigned.range(self.last + 1..).map(|(p, _)| *p).collect();
        let before: Vec<u32> = self.assigned.range(..=self.last).map(|(p, _)| *p).collect();
        for partition in self.stuck.into_iter().chain(after).chain(before) {
            let Some(assigned) = self.assigned.get_mut(&partition).filter(|assigned| !assigned.paused) else {
                continue;
            };
            self.stuck = Some(partition);
            let found = read(&shared.store, &self.topic, partition, assigned.place, max, self.fetch_bytes)?;
            self.stuck = None;
            assigned.place = found.next;
            if !found.records.is_empty() {
                self.last = partition;
                let (epoch, records, next) = (assigned.epoch, found.records, found.next.offset);
                return Ok(Some(Fetched { partition, epoch, records, next }));
            }
        }
        Ok(None)
    }

    /// What of `commits` may still be made.
    fn ours(&self, commits: &[Commit]) -> Vec<Commit> {
        let ours = self.core.shared.groups.with(&self.group, &self.topic, |members| {
            let owns = |p: &u32| self.epochs.get(p).is_some_and(|epoch| members.owns(self.member, *p, *epoch));
            commits.iter().copied().filter(|commit| owns(&commit.partition)).collect()
        });
        ours.unwrap_or_default()
    }

    /// Commits what may still be committed, and waits; whether that was all.
    async fn commit_ours(&mut self, commits: &[Commit]) -> Result<bool, BrokerError> {
        let ours = self.ours(commits);
        self.commits.flush(&ours).await?;
        Ok(ours.len() == commits.len())
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            self.assigned.clear();
            self.core.shared.groups.leave(&self.group, &self.topic, self.member);
        }
    }
}

impl Consumer for EmbeddedConsumer {
    fn poll(&mut self, max: usize) -> BoxFuture<'_, Result<ConsumerEvent, BrokerError>> {
        Box::pin(self.next_event(max))
    }

    fn pause(&mut self, partition: u32, at: u64) -> Result<(), BrokerError> {
        if let Some(assigned) = self.assigned.get_mut(&partition) {
            assigned.place = Place::at(at);
            assigned.paused = true;
        }
        Ok(())
    }

    fn resume(&mut self, partition: u32) -> Result<(), BrokerError> {
        if let Some(assigned) = self.assigned.get_mut(&partition) {
            assigned.paused = false;
        }
        Ok(())
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), BrokerError> {
        let ours = self.ours(commits);
        self.commits.add(&ours)
    }

    fn commit_now<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            match self.commit_ours(commits).await? {
                true => Ok(()),
                false => Err(not_assigned()),
            }
        })
    }

    fn release<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            self.commit_ours(commits).await?;
            self.core.shared.groups.with(&self.group, &self.topic, |members| {
                members.release(self.member, Instant::now());
            });
            Ok(())
        })
    }

    fn close<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            let outcome = self.commit_ours(commits).await;
            self.leave();
            outcome.map(|_all| ())
        })
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        self.leave();
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
