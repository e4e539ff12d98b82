//! Who has applied a change.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::broker::LogRecord;
use crate::control::workers::Roster;
use crate::control::{Change, Heartbeat, Key};

/// A change that is in the log.
#[derive(Debug, Clone)]
pub struct Changed {
    /// What was changed.
    pub key: Key,
    /// To what.
    pub change: Change,
    /// What it was.
    pub before: String,
    /// What it is while no change is in force.
    pub default: String,
    /// Where it stands in the control topic.
    pub offset: u64,
    pub(super) began: Instant,
    pub(super) roster: Roster,
    /// Where the roster goes on.
    pub(super) next: u64,
}

/// What a worker said to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerAnswer {
    /// Its name.
    pub worker: String,
    /// How long after the change was begun it was known to have applied it; `None` when it has not.
    pub after: Option<Duration>,
    /// What it has instead, although it has read the change: by its clock the time of the change is over.
    pub instead: Option<String>,
    /// Whether its last heartbeat is recent.
    pub live: bool,
}

/// What all workers said that have to do with a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers(pub Vec<WorkerAnswer>);

impl Answers {
    /// Whether every live worker has applied it.
    pub fn all_applied(&self) -> bool {
        self.missing().next().is_none()
    }

    /// The workers that have applied it.
    pub fn applied(&self) -> impl Iterator<Item = &WorkerAnswer> {
        self.0.iter().filter(|answer| answer.after.is_some())
    }

    /// The live workers that have not.
    pub fn missing(&self) -> impl Iterator<Item = &WorkerAnswer> {
        self.0.iter().filter(|answer| answer.after.is_none() && answer.live)
    }

    /// How long the last of those that applied it took.
    pub fn took(&self) -> Option<Duration> {
        self.applied().filter_map(|answer| answer.after).max()
    }
}

/// Answers as they come.
pub(super) struct Gathering<'a> {
    changed: &'a Changed,
    roster: Roster,
    after: BTreeMap<String, Duration>,
}

impl<'a> Gathering<'a> {
    pub(super) fn of(changed: &'a Changed) -> Self {
        Self { changed, roster: changed.roster.clone(), after: BTreeMap::new() }
    }

    /// Takes a record of the workers' topic in. What a worker had for a moment only counts too.
    pub(super) fn note(&mut self, record: &LogRecord) {
        self.roster.note(record);
        let Changed { key, change, offset, began, .. } = self.changed;
        for (worker, heartbeat) in self.roster.iter() {
            let Some(applied) = heartbeat.applied(key) else { continue };
            let wanted = match key.clear_value() {
                Some(clear) if change.value == clear => applied.default.as_ref(),
                _ => Some(&change.value),
            };
            let is_so = applied.offset > Some(*offset)
                || (applied.offset == Some(*offset) && Some(&applied.value) == wanted);
            if is_so && !self.after.contains_key(worker) {
                self.after.insert(worker.clone(), began.elapsed());
            }
        }
    }

    /// Who has answered by now.
    pub(super) fn look(&self, now_ms: i64) -> Answers {
        let Changed { key, offset, .. } = self.changed;
        let answer = |(worker, heartbeat): (&String, &Heartbeat)| {
            let (applied, after) = (heartbeat.applied(key)?, self.after.get(worker).copied());
            let other = after.is_none() && applied.offset == Some(*offset);
            let instead = other.then(|| applied.value.clone());
            Some(WorkerAnswer { worker: worker.clone(), after, instead, live: heartbeat.is_live(now_ms) })
        };
        Answers(self.roster.iter().filter_map(answer).collect())
    }
}
