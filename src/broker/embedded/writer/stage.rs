//! Jobs become one batch.

use std::collections::HashMap;
use std::sync::Arc;

use fjall::OwnedWriteBatch;

use super::super::codec::{self, BlockBuilder};
use super::super::keys;
use super::super::shared::{Shared, now_ms};
use super::super::topic::Topic;
use super::{AppendJob, CommitJob, Job, Reply, topics};
use crate::broker::{BrokerError, Position};

/// Writes what the jobs ask for and answers them. Appends and commits between two topic jobs share one batch.
pub(super) fn apply(shared: &Shared, jobs: Vec<Job>) {
    let mut stage = Stage::new(shared);
    for job in jobs {
        match job {
            Job::Append(job) => stage.append(job),
            Job::Commit(job) => stage.commit(job),
            Job::Create(job) => {
                std::mem::replace(&mut stage, Stage::new(shared)).finish();
                answer(job.reply, topics::create(shared, &job.spec));
            }
            Job::Delete(job) => {
                std::mem::replace(&mut stage, Stage::new(shared)).finish();
                answer(job.reply, topics::delete(shared, &job.name));
            }
        }
    }
    stage.finish();
}

/// A batch in the making, and who waits for it.
struct Stage<'a> {
    shared: &'a Shared,
    batch: OwnedWriteBatch,
    tails: HashMap<(u32, u32), Tail>,
    appended: Vec<(AppendJob, Vec<Position>)>,
    committed: Vec<CommitJob>,
    now_ms: i64,
}

/// The end of a partition as it will be.
struct Tail {
    topic: Arc<Topic>,
    block: BlockBuilder,
    next: u64,
    seen_ms: i64,
    end_bytes: u64,
}

impl<'a> Stage<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            batch: shared.store.batch(),
            tails: HashMap::new(),
            appended: Vec::new(),
            committed: Vec::new(),
            now_ms: now_ms(),
        }
    }

    fn append(&mut self, mut job: AppendJob) {
        if let Err(error) = job.topic.check() {
            return answer(job.reply, Err(error));
        }
        let mut positions = Vec::with_capacity(job.records.len());
        for (partition, record) in std::mem::take(&mut job.records) {
            let tail = self
                .tails
                .entry((job.topic.id, partition))
                .or_insert_with(|| Tail::of(job.topic.clone(), partition));
            let timestamp = record.timestamp_ms.unwrap_or(self.now_ms);
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            tail.block.push(tail.next, timestamp, key, value, &record.headers);
            positions.push(Position { partition, offset: tail.next });
            tail.next += 1;
            if tail.block.is_full() {
                tail.seal(partition, self.shared, &mut self.batch);
            }
        }
        self.appended.push((job, positions));
    }

    fn commit(&mut self, job: CommitJob) {
        if let Err(error) = job.topic.check() {
            return answer(job.reply, Err(error));
        }
        for commit in &job.commits {
            let key = keys::committed(job.topic.id, commit.partition, &job.group);
            self.batch.insert(&self.shared.store.meta, key, codec::commit(commit));
        }
        self.committed.push(job);
    }

    /// Writes the batch, shows it to readers, answers.
    fn finish(mut self) {
        for ((_, partition), tail) in &mut self.tails {
            tail.seal(*partition, self.shared, &mut self.batch);
        }
        let mut outcome = self.shared.check();
        if outcome.is_ok() && !self.batch.is_empty() {
            outcome = self.shared.store.commit(self.batch).map_err(|error| self.shared.fail(&error));
        }
        if outcome.is_ok() {
            for ((_, partition), tail) in &self.tails {
                tail.show(*partition);
            }
        }
        for (job, positions) in self.appended {
            answer(job.reply, again(self.shared, &outcome).map(|()| positions));
        }
        for job in self.committed {
            answer(job.reply, again(self.shared, &outcome));
        }
    }
}

impl Tail {
    fn of(topic: Arc<Topic>, partition: u32) -> Self {
        let state = topic.partition(partition).expect("the producer checked the partition").meta();
        Self {
            block: BlockBuilder::new(state.next),
            next: state.next,
            seen_ms: state.seen_ms,
            end_bytes: state.end_bytes,
            topic,
        }
    }

    /// Puts the block into the batch and begins the next.
    fn seal(&mut self, partition: u32, shared: &Shared, batch: &mut OwnedWriteBatch) {
        let block = std::mem::replace(&mut self.block, BlockBuilder::new(self.next));
        if block.is_empty() {
            return;
        }
        self.seen_ms = self.seen_ms.max(block.max_ms());
        self.end_bytes += block.len() as u64;
        let key = keys::block(self.topic.id, partition, block.first());
        batch.insert(&shared.store.records, key, block.finish(self.seen_ms, self.end_bytes));
    }

    fn show(&self, partition: u32) {
        let state = self.topic.partition(partition).expect("it was found when the tail began");
        state.grow(self.next, self.seen_ms, self.end_bytes);
        self.topic.changed.notify_waiters();
    }
}

/// The outcome of the batch for one more of those who wait for it.
fn again(shared: &Shared, outcome: &Result<(), BrokerError>) -> Result<(), BrokerError> {
    match outcome {
        Ok(()) => Ok(()),
        Err(_) => shared.check(),
    }
}

fn answer<T>(reply: Reply<T>, result: Result<T, BrokerError>) {
    // Whoever asked may have stopped waiting.
    let _not_waiting = reply.send(result);
}
