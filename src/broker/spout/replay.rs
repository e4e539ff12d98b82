//! Runs that failed, to be read from the log again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::assigned::InFlight;
use crate::broker::{Broker, BrokerError, Cursor, Fetched};

/// A cursor waits this long at most for records that are known to exist.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether the rest of a range turned out to be a hole, at which no record arrives.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A range of a partition to be delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replay {
    pub(super) partition: u32,
    pub(super) epoch: u32,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) attempt: u32,
    /// Record by record, to find the one at fault.
    pub(super) singly: bool,
}

/// Replays that wait, and the cursor that reads the first of them.
#[derive(Default)]
pub(super) struct Replays {
    queue: VecDeque<Replay>,
    cursor: Option<Box<dyn Cursor>>,
}

impl Replays {
    pub(super) fn push(&mut self, replay: Replay) {
        self.queue.push_back(replay);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Forgets what belongs to partitions that are no longer ours.
    pub(super) fn remove(&mut self, partitions: &[u32]) {
        self.queue.retain(|replay| !partitions.contains(&replay.partition));
        self.cursor = None;
    }

    /// Reads the next records to replay, with the run they make. Cancel-safe: the queue moves only with a result.
    pub(super) async fn next(
        &mut self,
        broker: &Arc<dyn Broker>,
        topic: &str,
        max: usize,
    ) -> Result<Option<(Fetched, InFlight)>, BrokerError> {
        let Some(&replay) = self.queue.front() else {
            return Ok(None);
        };
        let cursor = match &mut self.cursor {
            Some(cursor) => cursor,
            none => none.insert(broker.cursor(topic, &[(replay.partition, replay.start)])?),
        };
        let max = if replay.singly { 1 } else { max };
        let fetched = read(cursor.as_mut(), topic, &replay, max).await?;
        let fetched = cut(fetched, &replay);
        let run = InFlight { start: replay.start, attempt: replay.attempt, single: replay.singly };
        if fetched.next >= replay.end {
            self.queue.pop_front();
            self.cursor = None;
        } else if let Some(front) = self.queue.front_mut() {
            front.start = fetched.next;
        }
        Ok(Some((fetched, run)))
    }
}

/// The next records, or none up to the end of the range when the rest of it is a hole. Cancel-safe.
async fn read(cursor: &mut dyn Cursor, topic: &str, replay: &Replay, max: usize) -> Result<Fetched, BrokerError> {
    let Replay { partition, start, end, .. } = *replay;
    for _ in 0..READ_TIMEOUT.as_millis() / LOOK_INTERVAL.as_millis() {
        if let Some(fetched) = cursor.fetch(max, LOOK_INTERVAL).await? {
            return Ok(fetched);
        }
        if cursor.position(partition).is_some_and(|position| position >= end) {
            return Ok(Fetched { partition, epoch: 0, records: Vec::new(), next: end });
        }
    }
    Err(BrokerError::Timeout {
        what: format!("reading {topic}[{partition}] again from {start}"),
        after_ms: READ_TIMEOUT.as_millis() as u64,
    })
}

/// Keeps what lies inside the replayed range, and gives it the range's epoch and attempt.
fn cut(mut fetched: Fetched, replay: &Replay) -> Fetched {
    fetched.records.retain(|record| record.origin.offset < replay.end);
    for record in &mut fetched.records {
        record.origin.attempt = replay.attempt;
    }
    fetched.epoch = replay.epoch;
    fetched.next = fetched.next.min(replay.end);
    fetched
}
