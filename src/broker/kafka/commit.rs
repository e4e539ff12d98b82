//! Committing what is still ours.

use std::thread;
use std::time::Instant;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::inbox::Stamped;
use super::lookup::signed;
use super::poller::{Poller, SOON};
use super::{consume, error};
use crate::broker::BrokerError;
use crate::broker::commit::remark;

impl Poller {
    /// Commits without waiting; a failure is kept for the owner's next call.
    pub(super) fn commit(&mut self, commits: &[Stamped]) {
        let list = self.current(commits);
        if list.count() == 0 {
            return;
        }
        if let Err(error) = self.commits.send(&self.consumer, &list) {
            self.inbox.commit_failed(error::failed(&self.settings, "cannot commit", error));
        }
    }

    /// Keeps what failed of the commits that nobody waits for.
    pub(super) fn committed(&self) {
        while let Some(result) = self.commits.next() {
            if let Err(error) = result {
                self.inbox.commit_failed(error::failed(&self.settings, "cannot commit", error));
            }
        }
    }

    /// [`commit_and_wait`](Self::commit_and_wait) for partitions that are given back. That the group has moved on
    /// meanwhile is no failure then: their heir begins at the commit before, and what lies between comes again.
    pub(super) fn commit_last(&mut self, commits: &[Stamped]) -> Result<(), BrokerError> {
        match self.commit_and_wait(commits) {
            Err(BrokerError::Kafka { source, .. }) if has_moved_on(&source) => {
                tracing::debug!(topic = &*self.topic, error = %source, "the group gave partitions away before a last commit");
                Ok(())
            }
            result => result,
        }
    }

    /// Commits and waits for the answer, at most the request time-out.
    pub(super) fn commit_and_wait(&mut self, commits: &[Stamped]) -> Result<(), BrokerError> {
        let list = self.current(commits);
        if list.count() == 0 {
            return Ok(());
        }
        let deadline = Instant::now() + self.settings.request_timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match consume::commit(&self.consumer, &list, left) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // Between the leave of one member and the join of the next the group refuses for a moment; it refuses the
            // generation that is just over until this member has heard of the next, in which it keeps its partitions.
            let passing = match error.rdkafka_error_code() {
                Some(Code::RebalanceInProgress | Code::CoordinatorLoadInProgress | Code::NotCoordinator) => true,
                Some(Code::IllegalGeneration) => !self.consumer.assignment_lost(),
                _ => false,
            };
            if !passing || Instant::now() >= deadline {
                return Err(error::failed(&self.settings, "cannot commit", error));
            }
            thread::sleep(SOON);
        }
    }

    /// The commits whose partition is still assigned as it was when they were read.
    pub(super) fn current(&self, commits: &[Stamped]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(commits.len());
        for (epoch, commit) in commits {
            let partition = commit.partition;
            if self.live.get(&partition).is_none_or(|live| live.epoch != *epoch) {
                continue;
            }
            let mut element = list.add_partition(&self.topic, signed(partition));
            let offset = i64::try_from(commit.offset).unwrap_or(i64::MAX);
            if let Err(error) = element.set_offset(Offset::Offset(offset)) {
                tracing::debug!(%error, partition, "offset left out of a commit");
            }
            element.set_metadata(remark(commit.note, commit.seek));
        }
        list
    }
}

/// Whether the group refuses a commit because its partitions are, or may be, somebody else's by now.
fn has_moved_on(error: &KafkaError) -> bool {
    let moved = [Code::IllegalGeneration, Code::UnknownMemberId, Code::RebalanceInProgress];
    error.rdkafka_error_code().is_some_and(|code| moved.contains(&code))
}
