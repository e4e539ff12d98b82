//! Partitions of a member from which nothing is to come for a while.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::inbox::Place;
use super::lookup::signed;
use super::poller::{Live, Poller};
use crate::broker::BrokerError;

/// The client's own thread answers a seek at once; this is for when it is busy.
const SEEK: Duration = Duration::from_millis(100);

impl Poller {
    /// Stops fetching; what the client has fetched already is outdated by it.
    pub(super) fn pause(&mut self, place: Place, at: u64) {
        let current = self.live.get_mut(&place.partition).filter(|live| live.epoch == place.epoch);
        if let Some(live) = current {
            let was_paused = std::mem::replace(&mut live.paused, true);
            (live.next, live.resuming) = (at, false);
            if !was_paused && let Err(error) = self.consumer.pause(&self.list([place.partition])) {
                self.pause_failed("cannot pause a partition", error);
            }
        }
        self.inbox.sought(place);
    }

    /// Goes on where the pause said.
    pub(super) fn resume(&mut self, place: Place) {
        let current = self.live.get_mut(&place.partition).filter(|live| live.epoch == place.epoch);
        if let Some(live) = current
            && live.paused
        {
            live.resuming = true;
            self.try_resume(place.partition);
        }
    }

    /// Tries again what the client was not ready for.
    pub(super) fn resume_waiting(&mut self) {
        let waiting = |(partition, live): (&u32, &Live)| live.resuming.then_some(*partition);
        let waiting: Vec<u32> = self.live.iter().filter_map(waiting).collect();
        for partition in waiting {
            self.try_resume(partition);
        }
    }

    /// Takes the pause from partitions that go.
    pub(super) fn unpause(&self, partitions: &[u32]) {
        if let Err(error) = self.consumer.resume(&self.list(partitions.iter().copied())) {
            tracing::debug!(topic = &*self.topic, %error, "cannot take the pause from partitions that go");
        }
    }

    fn try_resume(&mut self, partition: u32) {
        let Some((next, stuck)) = self.live.get(&partition).map(|live| (live.next, live.stuck)) else { return };
        if stuck {
            return self.take_up_again(partition, next);
        }
        match self.seek_and_resume(partition, next) {
            // A partition that was only just assigned is not started at once. Doing it twice does no harm.
            Err(
                error @ (KafkaError::Seek(_) | KafkaError::OffsetFetch(Code::State | Code::PreviousInProgress)),
            ) => {
                tracing::debug!(topic = &*self.topic, partition, %error, "cannot resume yet");
            }
            Err(error) => self.pause_failed("cannot resume a partition", error),
            Ok(()) => {
                if let Some(live) = self.live.get_mut(&partition) {
                    (live.paused, live.resuming) = (false, false);
                    // It may have been paused before anything of it had come.
                    live.arrived = false;
                }
            }
        }
    }

    /// A partition that the client has given up is not to be sought in: it is given back and taken up anew, as of the same
    /// epoch. Tried again later when the group is busy.
    fn take_up_again(&mut self, partition: u32, next: u64) {
        let Some(epoch) = self.live.get(&partition).map(|live| live.epoch) else { return };
        let list = match self.take_up(&[(partition, next)], epoch) {
            Ok(list) => list,
            Err(error) => return self.fail(error),
        };
        if let Err(error) = self.consumer.incremental_unassign(&list) {
            tracing::debug!(topic = &*self.topic, partition, %error, "a partition was not given back before it is taken up");
        }
        match self.consumer.incremental_assign(&list) {
            Ok(()) => self.unpause(&[partition]),
            Err(error) => {
                tracing::debug!(topic = &*self.topic, partition, %error, "cannot take a partition up again yet");
                if let Some(live) = self.live.get_mut(&partition) {
                    (live.paused, live.resuming, live.stuck) = (true, true, true);
                }
            }
        }
    }

    /// The position is set while nothing is fetched, so nothing from elsewhere can come in between.
    fn seek_and_resume(&self, partition: u32, next: u64) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(1);
        let offset = Offset::Offset(i64::try_from(next).unwrap_or(i64::MAX));
        list.add_partition_offset(&self.topic, signed(partition), offset)?;
        let list = self.consumer.seek_partitions(list, SEEK)?;
        list.elements().iter().try_for_each(|element| element.error())?;
        self.consumer.resume(&self.list([partition]))
    }

    fn list(&self, partitions: impl IntoIterator<Item = u32>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, signed(partition));
        }
        list
    }

    fn pause_failed(&mut self, context: &str, error: KafkaError) {
        let error: BrokerError = self.failed(context, error);
        self.fail(error);
    }
}
