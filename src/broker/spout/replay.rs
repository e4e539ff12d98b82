//! Runs that failed, to be read from the log again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::assigned::InFlight;
use crate::broker::{Broker, BrokerError, Cursor, Fetched};

/// A cursor waits this long at most for records that are known to exist.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

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
        let fetched = cursor.fetch(max, READ_TIMEOUT).await?.ok_or_else(|| BrokerError::Timeout {
            what: format!("reading {topic}[{}] again from {}", replay.partition, replay.start),
            after_ms: READ_TIMEOUT.as_millis() as u64,
        })?;
        let fetched = cut(fetched, &replay);
        let run = InFlight { start: replay.start, attempt: replay.attempt };
        if fetched.next >= replay.end {
            self.queue.pop_front();
            self.cursor = None;
        } else if let Some(front) = self.queue.front_mut() {
            front.start = fetched.next;
        }
        Ok(Some((fetched, run)))
    }
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
