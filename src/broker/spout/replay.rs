//! Runs that failed, to be read from the log again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::assigned::InFlight;
use super::gate::Gates;
use crate::broker::{Broker, BrokerError, Cursor, Fetched, LogRecord};

/// A cursor waits this long at most for records that are known to exist.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether the rest of a range turned out to be a hole, at which no record arrives.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// A cursor that nobody needs for so long is closed.
const IDLE: Duration = Duration::from_secs(10);

/// A range of a partition to be delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replay {
    pub(crate) partition: u32,
    pub(crate) epoch: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attempt: u32,
    /// Record by record, to find the one at fault.
    pub(crate) singly: bool,
    /// Not before.
    pub(crate) due: Instant,
    /// Whether it is a gate that it waits for.
    pub(crate) gated: bool,
}

/// Replays that wait, and what reads them.
#[derive(Default)]
pub(crate) struct Replays {
    queue: VecDeque<Replay>,
    reader: Option<Reader>,
}

/// A cursor of one partition. Partitions take turns with it, so that a task has one at most.
struct Reader {
    cursor: Box<dyn Cursor>,
    partition: u32,
    used: Instant,
}

impl Replays {
    pub(crate) fn push(&mut self, replay: Replay) {
        self.queue.push_back(replay);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Partitions of which something is to come again.
    pub(super) fn partitions(&self) -> impl Iterator<Item = u32> {
        self.queue.iter().map(|replay| replay.partition)
    }

    /// When the next one is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.queue.iter().map(|replay| replay.due).min()
    }

    /// Those that wait for a gate are to ask it again.
    pub(crate) fn gates_changed(&mut self, now: Instant) {
        self.queue.iter_mut().filter(|replay| replay.gated).for_each(|replay| replay.due = now);
    }

    /// Those of a partition are not to come before `at`.
    pub(super) fn put_off(&mut self, partition: u32, at: Instant) {
        self.reader = None;
        let of_it = self.queue.iter_mut().filter(|replay| replay.partition == partition);
        of_it.for_each(|replay| replay.due = replay.due.max(at));
    }

    /// Forgets what belongs to partitions that are no longer ours.
    pub(super) fn remove(&mut self, partitions: &[u32]) {
        self.queue.retain(|replay| !partitions.contains(&replay.partition));
    }

    /// Reads the next records to replay, with the run they make; `None` when none is due. One that waits does not stop
    /// the others. Cancel-safe: the queue moves only with a result.
    pub(crate) async fn next(
        &mut self,
        broker: &Arc<dyn Broker>,
        topic: &str,
        max: usize,
        gates: &mut Gates,
    ) -> Result<Option<(Fetched, InFlight)>, BrokerError> {
        while let Some(at) = self.next_due(Instant::now()) {
            let replay = self.queue[at];
            let mut fetched = self.read(broker, topic, &replay, max).await?;
            let admission = gates.ask(&fetched.records);
            if admission.now < fetched.records.len() {
                fetched.next = fetched.records[admission.now].origin.offset;
                fetched.records.truncate(admission.now);
                (self.queue[at].due, self.queue[at].gated) = (Instant::now() + admission.wait, true);
                if admission.now == 0 {
                    continue;
                }
            }
            if fetched.next >= replay.end {
                self.queue.remove(at);
            } else {
                self.queue[at].start = fetched.next;
            }
            let run = InFlight { start: replay.start, attempt: replay.attempt, single: replay.singly };
            return Ok(Some((fetched, run)));
        }
        self.reader.take_if(|reader| reader.used.elapsed() > IDLE);
        Ok(None)
    }

    /// All records of the range.
    pub(crate) async fn read_all(
        &mut self,
        broker: &Arc<dyn Broker>,
        topic: &str,
        mut range: Replay,
    ) -> Result<Vec<LogRecord>, BrokerError> {
        let mut records = Vec::new();
        // The end is not reached at once where a hole follows a record.
        while range.start < range.end {
            let fetched = self.read(broker, topic, &range, 2).await?;
            range.start = fetched.next;
            records.extend(fetched.records);
        }
        Ok(records)
    }

    /// The first that is due, one of the partition at which the cursor stands before others.
    fn next_due(&self, now: Instant) -> Option<usize> {
        let due = |replay: &Replay| replay.due <= now;
        let at_hand = self.reader.as_ref().map(|reader| reader.partition);
        let near = self.queue.iter().position(|replay| due(replay) && Some(replay.partition) == at_hand);
        near.or_else(|| self.queue.iter().position(due))
    }

    /// The first records of a range, with its epoch and attempt. Cancel-safe.
    async fn read(
        &mut self,
        broker: &Arc<dyn Broker>,
        topic: &str,
        replay: &Replay,
        max: usize,
    ) -> Result<Fetched, BrokerError> {
        let &Replay { partition, start, .. } = replay;
        let usable = self.reader.take_if(|reader| reader.partition == partition);
        let reader = match usable {
            Some(reader) => reader,
            None => {
                Reader { cursor: broker.cursor(topic, &[(partition, start)])?, partition, used: Instant::now() }
            }
        };
        let Reader { cursor, used, .. } = self.reader.insert(reader);
        *used = Instant::now();
        if cursor.position(partition) != Some(start) {
            cursor.seek(partition, start)?;
        }
        let max = if replay.singly { 1 } else { max };
        Ok(cut(look(cursor.as_mut(), topic, replay, max).await?, replay))
    }
}

/// The next records, or none up to the end of the range when the rest of it is a hole. Cancel-safe.
async fn look(cursor: &mut dyn Cursor, topic: &str, replay: &Replay, max: usize) -> Result<Fetched, BrokerError> {
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
