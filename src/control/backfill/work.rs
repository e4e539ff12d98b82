//! A chunk that is being worked at.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::{Chunk, Job, Range};
use crate::broker::spout::{InFlight, Replays};
use crate::broker::{Cursor, Fetched, LogRecord};
use crate::topology::{Outcome, Pulled};

/// What a task has of its lease, and what is in flight of it.
pub(super) struct Work {
    pub(super) job: Arc<Job>,
    pub(super) chunk: u32,
    pub(super) range: Range,
    pub(super) epoch: u32,
    /// Offset of the next fresh record.
    pub(super) next: u64,
    pub(super) cursor: Option<Box<dyn Cursor>>,
    pub(super) replays: Replays,
    /// Runs that need nothing done any more: records that went to the dead letters.
    pub(super) passed: VecDeque<(Pulled<LogRecord>, InFlight)>,
    /// Fresh records wait at a gate until then.
    pub(super) gated: Option<Instant>,
    /// Nothing more is emitted; once nothing is in flight the chunk is given back.
    pub(super) leaving: bool,
    /// Why the job cannot go on, until that is said.
    pub(super) stuck: Option<String>,
    /// Something below `next` was given up and is not settled.
    broken: bool,
    watermark: u64,
    in_flight: BTreeMap<u64, InFlight>,
}

impl Work {
    pub(super) fn new(job: Arc<Job>, chunk: u32, known: Chunk, epoch: u32) -> Self {
        Self {
            job,
            chunk,
            range: known.range,
            epoch,
            next: known.next,
            cursor: None,
            replays: Replays::default(),
            passed: VecDeque::new(),
            gated: None,
            leaving: false,
            stuck: None,
            broken: false,
            watermark: known.next,
            in_flight: BTreeMap::new(),
        }
    }

    /// Everything below is settled: the watermark, or where reading stands once nothing is under way, since holes and
    /// what is lost have no run of their own.
    pub(super) fn floor(&self) -> u64 {
        let at_rest = self.is_idle() && self.replays.is_empty() && self.passed.is_empty() && !self.broken;
        if at_rest { self.next } else { self.watermark }
    }

    /// Whether nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Whether all of it is settled.
    pub(super) fn is_complete(&self) -> bool {
        self.floor() >= self.range.to
    }

    /// A run of these records is under way. A fresh one begins where the last one ended, so that holes belong to the run
    /// after them.
    pub(super) fn send(&mut self, fetched: Fetched, replayed: Option<InFlight>) -> Pulled<LogRecord> {
        let Fetched { records, next: end, .. } = fetched;
        let run = replayed.unwrap_or(InFlight { start: self.next, attempt: 0, single: false });
        self.next = self.next.max(end);
        self.in_flight.insert(end, run);
        Pulled { partition: self.range.partition, epoch: self.epoch, end, tuples: records }
    }

    /// A run that needs nothing done any more is under way.
    pub(super) fn pass(&mut self) -> Option<Pulled<LogRecord>> {
        let (run, over) = self.passed.pop_front()?;
        self.in_flight.insert(run.end, over);
        Some(run)
    }

    /// A run is over. `None` when it is of an earlier lease.
    pub(super) fn settle(&mut self, outcome: &Outcome) -> Option<InFlight> {
        if (outcome.partition, outcome.epoch) != (self.range.partition, self.epoch) {
            return None;
        }
        self.watermark = self.watermark.max(outcome.watermark.unwrap_or(0));
        self.in_flight.remove(&outcome.end)
    }

    /// Lets nothing more go; what failed does not come again from here.
    pub(super) fn leave(&mut self) {
        if !self.leaving {
            self.leaving = true;
            self.broken |= !self.replays.is_empty() || !self.passed.is_empty();
            (self.replays, self.passed) = (Replays::default(), VecDeque::new());
        }
    }

    /// A run failed for good, for this reason: the job is paused and the chunk given back.
    pub(super) fn stick(&mut self, reason: String) {
        self.leave();
        self.give_up_run();
        self.stuck.get_or_insert(reason);
    }

    /// A run failed and does not come again from here.
    pub(super) fn give_up_run(&mut self) {
        self.broken = true;
    }
}
