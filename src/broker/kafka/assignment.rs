//! What a thread reads: a cursor's partitions, or those that the group gives and takes.

use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Rebalance;
use super::inbox::{Event, NO_EPOCH};
use super::lookup::{self, At, signed};
use super::poller::{Live, Poller, Role};
use super::{consume, error};
use crate::broker::commit::remark_of;
use crate::broker::{BrokerError, Granted, Note, StartFrom};
use crate::topology::{Class, Classify};

/// How long after a failed attempt an assignment is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// What the group waits for.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Partitions that were given and are not read yet, because the group's offsets could not be had.
    assigning: Option<(Vec<i32>, Instant)>,
    /// The owner has released what is being revoked.
    pub(super) released: bool,
}

impl Poller {
    /// Checks what is to be read, and begins.
    pub(super) fn begin(&mut self) -> Result<(), BrokerError> {
        let known = lookup::partitions(&self.consumer, &self.settings, &self.topic)?;
        match &self.role {
            Role::Member(_) => {
                let topic = self.topic.to_string();
                self.consumer
                    .subscribe(&[&topic])
                    .map_err(|e| error::failed(&self.settings, format!("cannot subscribe to `{topic}`"), e))
            }
            Role::Cursor(starts) => {
                let starts = starts.clone();
                if let Some((partition, _)) = starts.iter().find(|(p, _)| !known.contains(p)) {
                    let topic = self.topic.to_string();
                    return Err(BrokerError::UnknownPartition { topic, partition: *partition });
                }
                let list = self.take_up(&starts, NO_EPOCH)?;
                self.consumer.assign(&list).map_err(|e| self.failed("cannot assign partitions", e))
            }
        }
    }

    /// Goes on at `offset` of a partition that a cursor reads.
    pub(super) fn seek(&mut self, partition: u32, offset: u64) -> Result<(), BrokerError> {
        if !self.live.contains_key(&partition) {
            return Ok(());
        }
        // Taking a partition back outdates all that is queued of it, which a seek need not.
        let list = self.take_up(&[(partition, offset)], NO_EPOCH)?;
        self.consumer.incremental_unassign(&list).map_err(|e| self.failed("cannot seek", e))?;
        self.consumer.incremental_assign(&list).map_err(|e| self.failed("cannot seek", e))
    }

    /// Does what the group asked for since the last time.
    pub(super) fn rebalance(&mut self) {
        if let Some((partitions, due)) = self.work.assigning.take() {
            if Instant::now() < due {
                self.work.assigning = Some((partitions, due));
                return;
            }
            self.assign(partitions);
            return;
        }
        match self.consumer.context().next_rebalance() {
            Some(Rebalance::Assign(partitions)) => self.assign(partitions),
            Some(Rebalance::Revoke(partitions)) => self.revoke(&partitions),
            None => {}
        }
    }

    fn assign(&mut self, partitions: Vec<i32>) {
        match self.try_assign(&partitions) {
            Ok(assigned) if assigned.is_empty() => {}
            Ok(assigned) => self.inbox.push(Event::Assigned(assigned)),
            Err(error) if error.class() == Class::Retryable => {
                tracing::warn!(topic = &*self.topic, %error, "cannot begin with assigned partitions yet");
                self.work.assigning = Some((partitions, Instant::now() + RETRY));
            }
            Err(error) => self.fail(error),
        }
    }

    fn try_assign(&mut self, partitions: &[i32]) -> Result<Vec<Granted>, BrokerError> {
        let epoch = self.last_epoch + 1;
        let granted = self.starts(partitions, epoch)?;
        let starts: Vec<_> = granted.iter().map(|granted| (granted.partition, granted.next)).collect();
        let list = self.take_up(&starts, epoch)?;
        if let Err(error) = self.give(&list) {
            for (partition, _) in &starts {
                self.live.remove(partition);
            }
            return Err(self.failed("cannot assign partitions", error));
        }
        self.last_epoch = epoch;
        Ok(granted)
    }

    /// Where each partition begins: at the group's commit, or else where the settings say.
    fn starts(&self, partitions: &[i32], epoch: u32) -> Result<Vec<Granted>, BrokerError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        let list = self
            .consumer
            .committed_offsets(list, self.settings.request_timeout)
            .map_err(|e| self.failed("cannot ask for committed offsets", e))?;
        let (mut starts, mut fresh) = (Vec::new(), Vec::new());
        for (at, element) in list.elements().into_iter().enumerate() {
            element.error().map_err(|e| self.failed("cannot ask for committed offsets", e))?;
            let partition = u32::try_from(element.partition()).unwrap_or_default();
            match element.offset() {
                Offset::Offset(offset) => {
                    let next = u64::try_from(offset).unwrap_or_default();
                    let (note, seek) = remark_on(consume::metadata(&list, at));
                    starts.push(Granted { partition, epoch, next, note, seek });
                }
                _ => fresh.push(partition),
            }
        }
        let at = match &self.role {
            Role::Member(group) => match group.start_from {
                StartFrom::Earliest => At::Earliest,
                StartFrom::Latest => At::Latest,
                StartFrom::Timestamp(time) => At::Time(time),
            },
            Role::Cursor(_) => At::Earliest,
        };
        let offsets = lookup::offsets(&self.consumer, &self.settings, &self.topic, &fresh, at)?;
        let begin = |(partition, next)| Granted { partition, epoch, next, note: Note::Clean, seek: 0 };
        starts.extend(fresh.into_iter().zip(offsets).map(begin));
        starts.sort_unstable_by_key(|granted| granted.partition);
        Ok(starts)
    }

    /// Has the messages of partitions come to the queue, and notes where they begin.
    pub(super) fn take_up(
        &mut self,
        starts: &[(u32, u64)],
        epoch: u32,
    ) -> Result<TopicPartitionList, BrokerError> {
        let mut list = TopicPartitionList::with_capacity(starts.len());
        for (partition, next) in starts {
            let offset = Offset::Offset(i64::try_from(*next).unwrap_or(i64::MAX));
            list.add_partition_offset(&self.topic, signed(*partition), offset)
                .and_then(|()| self.queue.capture(&self.consumer, &self.topic, signed(*partition)))
                .map_err(|e| self.failed("cannot assign partitions", e))?;
            self.live.insert(*partition, Live::new(epoch, *next));
        }
        Ok(list)
    }

    fn revoke(&mut self, partitions: &[i32]) {
        let taken: Vec<u32> = partitions
            .iter()
            .filter_map(|p| u32::try_from(*p).ok())
            .filter(|partition| self.live.contains_key(partition))
            .collect();
        let lost = self.consumer.assignment_lost();
        if !taken.is_empty() {
            if lost {
                self.lose(&taken);
            } else {
                self.drain(&taken);
            }
        }
        for partition in &taken {
            self.live.remove(partition);
        }
        // A pause would outlast the assignment.
        self.unpause(&taken);
        if let Err(error) = self.unassign(partitions) {
            let error = self.failed("cannot give back partitions", error);
            self.fail(error);
        }
    }

    /// Answers what the group waits for while the consumer is being closed: nothing is taken up any more.
    pub(super) fn answer_all(&mut self) {
        let waiting = self.work.assigning.take().map(|(partitions, _)| Rebalance::Assign(partitions));
        let queued = std::iter::from_fn(|| self.consumer.context().next_rebalance());
        for rebalance in waiting.into_iter().chain(queued) {
            let answered = match rebalance {
                Rebalance::Assign(_) => self.give(&TopicPartitionList::new()),
                Rebalance::Revoke(partitions) => self.unassign(&partitions),
            };
            if let Err(error) = answered {
                tracing::debug!(topic = &*self.topic, %error, "cannot answer the group while closing");
            }
        }
    }

    fn give(&self, list: &TopicPartitionList) -> Result<(), KafkaError> {
        match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_assign(list),
            _ => self.consumer.assign(list),
        }
    }

    fn unassign(&self, partitions: &[i32]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_unassign(&list),
            _ => self.consumer.unassign(),
        }
    }

    fn lose(&mut self, taken: &[u32]) {
        for partition in taken {
            self.live.remove(partition);
        }
        self.inbox.take_away(taken, Event::Lost(taken.to_vec()));
    }

    /// Waits until the owner has released `taken`, at most the drain time-out; the others go on being read.
    fn drain(&mut self, taken: &[u32]) {
        let Role::Member(group) = &self.role else { return };
        let deadline = Instant::now() + group.drain_timeout;
        for partition in taken {
            if let Some(live) = self.live.get_mut(partition) {
                live.draining = true;
            }
        }
        self.work.released = false;
        self.inbox.take_away(taken, Event::Revoking(taken.to_vec()));
        while !self.work.released && Instant::now() < deadline {
            if self.closing.is_some() || self.inbox.is_abandoned() {
                return;
            }
            if self.consumer.assignment_lost() {
                self.lose(taken);
                return;
            }
            self.commands();
            self.resume_waiting();
            self.fetch();
        }
        if !self.work.released {
            self.lose(taken);
        }
    }
}

/// Metadata that is not text is not ours.
fn remark_on(metadata: &[u8]) -> (Note, u64) {
    std::str::from_utf8(metadata).map_or((Note::Clean, 0), remark_of)
}
