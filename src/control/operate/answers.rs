//! Who has applied a change.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::control::workers::Roster;
use crate::control::{Change, Key};

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
    /// How long after the change was begun its answer was here; `None` when there was none.
    pub after: Option<Duration>,
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

    pub(super) fn roster(&mut self) -> &mut Roster {
        &mut self.roster
    }

    /// Looks who has answered by now.
    pub(super) fn look(&mut self, now_ms: i64) -> Answers {
        let Changed { key, offset, began, .. } = self.changed;
        let mut answers = Vec::new();
        for (worker, heartbeat) in self.roster.iter() {
            let Some(applied) = heartbeat.applied(key) else { continue };
            if applied.offset.is_some_and(|applied| applied >= *offset) && !self.after.contains_key(worker) {
                self.after.insert(worker.clone(), began.elapsed());
            }
            let after = self.after.get(worker).copied();
            answers.push(WorkerAnswer { worker: worker.clone(), after, live: heartbeat.is_live(now_ms) });
        }
        Answers(answers)
    }
}
