//! The keys that a worker has to do with, and their handles.

use std::collections::BTreeMap;

use super::key::RUNNING;
use super::state::{Standing, State};
use super::{Applied, Key, Running};
use crate::guard::{Limit, LiveLimit, Mode, Switch};

/// A key that this worker has to do with.
pub(super) struct Known<H> {
    handle: H,
    /// What it is while no change is in force.
    default: String,
    /// As the handle was turned last.
    seen: Standing,
    /// As the operator is told.
    told: Standing,
}

/// Something that a control value turns.
pub(super) trait Handle: Clone {
    fn at(value: &str) -> Self;
    fn turn(&self, value: &str);
}

impl Handle for Switch {
    fn at(value: &str) -> Self {
        Self::new(value.parse().unwrap_or(Mode::Off))
    }

    fn turn(&self, value: &str) {
        self.set(value.parse().unwrap_or(Mode::Off));
    }
}

impl Handle for Running {
    fn at(value: &str) -> Self {
        Self::new(value == RUNNING)
    }

    fn turn(&self, value: &str) {
        self.set(value == RUNNING);
    }
}

/// A text that is no limit cannot come here: it is checked where it is read.
impl Handle for LiveLimit {
    fn at(value: &str) -> Self {
        Self::new(Limit::parse(value).unwrap_or(None))
    }

    fn turn(&self, value: &str) {
        if let Ok(limit) = Limit::parse(value) {
            self.set(limit);
        }
    }
}

impl<H> Known<H> {
    /// What the operator is told from now on: as it is.
    pub(super) fn tell(&mut self) -> Standing {
        self.told = self.seen.clone();
        self.told.clone()
    }

    /// It, for a heartbeat.
    pub(super) fn applied(&self, key: &Key) -> Applied {
        let (Standing { value, offset }, default) = (self.told.clone(), Some(self.default.clone()));
        Applied { name: key.name().to_owned(), value, offset, default }
    }
}

/// The handle of a key, which the worker has to do with from now on.
pub(super) fn register<H: Handle>(
    known: &mut BTreeMap<Key, Known<H>>,
    state: &State,
    key: Key,
    default: &str,
    now_ms: i64,
) -> H {
    let standing = state.standing(&key, default, now_ms);
    let new = || Known {
        handle: H::at(&standing.value),
        default: default.to_owned(),
        seen: standing.clone(),
        told: standing.clone(),
    };
    known.entry(key).or_insert_with(new).handle.clone()
}

/// Turns the handles to what the state is; which are otherwise than before.
pub(super) fn turn<H: Handle>(known: &mut BTreeMap<Key, Known<H>>, state: &State, now_ms: i64) -> Vec<Key> {
    let mut changed = Vec::new();
    for (key, known) in known {
        let standing = state.standing(key, &known.default, now_ms);
        if standing == known.seen {
            continue;
        }
        if standing.value != known.seen.value {
            let (who, reason) = match state.entries.get(key) {
                Some(entry) => (entry.change.who.as_str(), entry.change.reason.as_str()),
                None => ("", ""),
            };
            tracing::info!(%key, value = standing.value, was = known.seen.value, who, reason, "turned");
            known.handle.turn(&standing.value);
        }
        known.seen = standing;
        changed.push(key.clone());
    }
    changed
}
