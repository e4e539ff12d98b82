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
use crate::broker::{BrokerError, Consumer, ConsumerEvent, Fetched, GroupSettings, StartFrom};
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

    /// Commits `offsets` and waits for the answer; gives nothing back.
    pub(super) async fn commit_now(&mut self, offsets: &[(u32, u64)]) -> Result<(), BrokerError> {
        let ours = self.ours(offsets);
        self.commits.flush(&ours).await
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
                    let start = self.start(&grant)?;
                    let place = Place::at(start);
                    self.epochs.insert(grant.partition, grant.epoch);
                    self.assigned.insert(grant.partition, Assigned { epoch: grant.epoch, place });
                    event.push((grant.partition, grant.epoch, start));
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

    /// The committed offset, or what the policy says.
    fn start(&self, grant: &Grant) -> Result<u64, BrokerError> {
        let store = &self.core.shared.store;
        if let Some(bytes) = store.meta(&keys::committed(self.topic.id, grant.partition, &self.group))? {
            return codec::offset_of(&bytes);
        }
        match self.start_from {
            StartFrom::Earliest => Ok(self.topic.partition(grant.partition)?.earliest()),
            StartFrom::Latest => Ok(grant.latest),
            StartFrom::Timestamp(time) => offset_at(store, &self.topic, grant.partition, time),
        }
    }

    /// Records of the next partition that has some, in turn.
    fn fetch(&mut self, max: usize) -> Result<Option<Fetched>, BrokerError> {
        let shared = &self.core.shared;
        let after: Vec<u32> = self.assigned.range(self.last + 1..).map(|(p, _)| *p).collect();
        let before: Vec<u32> = self.assigned.range(..=self.last).map(|(p, _)| *p).collect();
        for partition in self.stuck.into_iter().chain(after).chain(before) {
            let Some(assigned) = self.assigned.get_mut(&partition) else { continue };
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

    /// What of `offsets` may still be committed.
    fn ours(&self, offsets: &[(u32, u64)]) -> Vec<(u32, u64)> {
        let ours = self.core.shared.groups.with(&self.group, &self.topic, |members| {
            let owns = |p: &u32| self.epochs.get(p).is_some_and(|epoch| members.owns(self.member, *p, *epoch));
            offsets.iter().copied().filter(|(p, _)| owns(p)).collect()
        });
        ours.unwrap_or_default()
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

    fn commit(&mut self, offsets: &[(u32, u64)]) -> Result<(), BrokerError> {
        let ours = self.ours(offsets);
        self.commits.add(&ours)
    }

    fn release<'a>(&'a mut self, offsets: &'a [(u32, u64)]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            self.commit_now(offsets).await?;
            self.core.shared.groups.with(&self.group, &self.topic, |members| {
                members.release(self.member, Instant::now());
            });
            Ok(())
        })
    }

    fn close<'a>(&'a mut self, offsets: &'a [(u32, u64)]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            let outcome = self.commit_now(offsets).await;
            self.leave();
            outcome
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
