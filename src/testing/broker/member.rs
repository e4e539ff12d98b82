//! A member of a group that does what a spout does, and checks every event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::support::{DEADLINE, STEP};
use crate::broker::{
    Broker, BrokerError, Commit, Consumer, ConsumerEvent, Fetched, Granted, GroupSettings, LogRecord, Note,
};

/// Follows its assignment, releases what is revoked with the commits for it, and keeps what it read.
pub(super) struct Member {
    consumer: Box<dyn Consumer>,
    /// Partitions that it has, with the epoch of each.
    pub(super) owned: BTreeMap<u32, u32>,
    /// Where it began, by partition, the last time it was assigned.
    pub(super) started: BTreeMap<u32, u64>,
    /// The notes that it found there.
    pub(super) notes: BTreeMap<u32, Note>,
    pub(super) seeks: BTreeMap<u32, u64>,
    /// What it would commit, by partition; kept after the partition has gone.
    pub(super) next: BTreeMap<u32, u64>,
    /// All records, as they came.
    pub(super) records: Vec<LogRecord>,
    epochs: BTreeMap<u32, u32>,
    paused: BTreeSet<u32>,
}

impl Member {
    /// Joins the group.
    pub(super) fn join(broker: &Arc<dyn Broker>, topic: &str, settings: &GroupSettings) -> Self {
        Self {
            consumer: broker.subscribe(topic, settings).expect("subscribe"),
            owned: BTreeMap::new(),
            started: BTreeMap::new(),
            notes: BTreeMap::new(),
            seeks: BTreeMap::new(),
            next: BTreeMap::new(),
            records: Vec::new(),
            epochs: BTreeMap::new(),
            paused: BTreeSet::new(),
        }
    }

    /// Joins the group and waits until it has `partitions` partitions.
    pub(super) async fn joined(
        broker: &Arc<dyn Broker>,
        topic: &str,
        settings: &GroupSettings,
        partitions: usize,
    ) -> Self {
        let mut member = Self::join(broker, topic, settings);
        member.until("all partitions", |m| m.owned.len() == partitions).await;
        member
    }

    /// Polls until `done`.
    pub(super) async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done(self) {
            assert!(
                Instant::now() < deadline,
                "no {what} within {DEADLINE:?}; owned {:?}, next {:?}",
                self.owned,
                self.next
            );
            self.step().await;
        }
    }

    /// One poll.
    pub(super) async fn step(&mut self) {
        if let Some(result) = self.poll().await {
            result.expect("poll");
        }
    }

    /// One poll that may fail; `None` when nothing came.
    pub(super) async fn poll(&mut self) -> Option<Result<(), BrokerError>> {
        match timeout(STEP, self.consumer.poll(50)).await {
            Err(_) => None,
            Ok(Err(error)) => Some(Err(error)),
            Ok(Ok(event)) => {
                self.apply(event).await;
                Some(Ok(()))
            }
        }
    }

    /// The first error that a poll gives.
    pub(super) async fn fails(&mut self) -> BrokerError {
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "poll does not fail");
            if let Some(Err(error)) = self.poll().await {
                return error;
            }
        }
    }

    /// Commits without waiting.
    pub(super) fn commit(&mut self, commits: &[Commit]) {
        self.consumer.commit(commits).expect("commit");
    }

    /// Commits and waits, and gives nothing back.
    pub(super) async fn commit_now(&mut self, commits: &[Commit]) {
        self.consumer.commit_now(commits).await.expect("commit");
    }

    /// Lets no more of `partition` come; it is to go on at `at`.
    pub(super) fn pause(&mut self, partition: u32, at: u64) {
        self.consumer.pause(partition, at).expect("pause");
        if self.owned.contains_key(&partition) {
            self.paused.insert(partition);
            self.next.insert(partition, at);
        }
    }

    /// Lets it come again.
    pub(super) fn resume(&mut self, partition: u32) {
        self.consumer.resume(partition).expect("resume");
        self.paused.remove(&partition);
    }

    /// The numbers of all records of a partition, as they came.
    pub(super) fn of(&self, partition: u32) -> Vec<u64> {
        let of = self.records.iter().filter(|record| record.origin.partition == partition);
        of.map(super::support::number).collect()
    }

    /// Commits what it has read and waits for the answer.
    pub(super) async fn commit_read(&mut self) {
        let commits = self.commits();
        self.consumer.release(&commits).await.expect("release without revocation commits");
    }

    /// Commits what it has read and leaves.
    pub(super) async fn close(mut self) {
        let commits = self.commits();
        self.consumer.close(&commits).await.expect("close");
    }

    /// The numbers of all records, sorted.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.records.iter().map(super::support::number).collect();
        numbers.sort_unstable();
        numbers
    }

    fn commits(&self) -> Vec<Commit> {
        self.owned.keys().filter_map(|p| self.next.get(p).map(|next| Commit::clean(*p, *next))).collect()
    }

    async fn apply(&mut self, event: ConsumerEvent) {
        match event {
            ConsumerEvent::Assigned(partitions) => {
                for Granted { partition, epoch, next: start, note, seek } in partitions {
                    assert!(!self.owned.contains_key(&partition), "{partition} was ours already");
                    let before = self.epochs.insert(partition, epoch);
                    assert!(before.is_none_or(|before| epoch > before), "epochs grow: {before:?} {epoch}");
                    self.owned.insert(partition, epoch);
                    self.started.insert(partition, start);
                    self.notes.insert(partition, note);
                    self.seeks.insert(partition, seek);
                    self.next.insert(partition, start);
                }
            }
            ConsumerEvent::Revoking(partitions) => {
                let commits: Vec<Commit> = partitions.iter().map(|p| Commit::clean(*p, self.next[p])).collect();
                for partition in &partitions {
                    assert!(self.owned.remove(partition).is_some(), "{partition} was not ours");
                    self.paused.remove(partition);
                }
                self.consumer.release(&commits).await.expect("release");
            }
            ConsumerEvent::Lost(partitions) => {
                for partition in partitions {
                    self.owned.remove(&partition);
                    self.paused.remove(&partition);
                }
            }
            ConsumerEvent::Records(fetched) => self.keep(fetched),
        }
    }

    fn keep(&mut self, fetched: Fetched) {
        let partition = fetched.partition;
        assert_eq!(self.owned.get(&partition), Some(&fetched.epoch), "records of a partition that is ours");
        assert!(!self.paused.contains(&partition), "nothing comes of a paused partition");
        assert!(fetched.records.len() <= 50, "at most `max` records");
        let mut next = self.next[&partition];
        for record in &fetched.records {
            assert!(record.origin.offset >= next, "offsets grow");
            next = record.origin.offset + 1;
        }
        assert!(fetched.next >= next, "`next` is past the records");
        self.next.insert(partition, fetched.next);
        self.records.extend(fetched.records);
    }
}
